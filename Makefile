# make table    the embedded sample, from nothing to results/table.csv and results/report.html; with RECIPE=FILE a recipe
# make test     the tests that hold the promises, in minutes
# make test-all them and the slow ones: every recipe small, every way to be killed, every module's edit
# make report   the same, and the way to the page
# make docs     the documentation as a site, into site/
# Needs python3 (3.11 or newer, with venv) and make; everything else is set up in $(VENV).

VENV ?= .venv
PYTHON ?= python3
RECIPE ?=
# Tests that need more than this Makefile sets up; .ci/run installs it and runs them.
PROGRAMS = apertium or chromium or slurm or faults
# uv does not read pip's variable: a folder of wheels (offline sites, CPU builds of torch) serves both.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export PATH := $(abspath $(VENV))/bin:$(PATH)

.PHONY: table test test-all lint report docs clean

table: $(VENV)/.stamp
	@snakemake --cores all --quiet rules reason host $(if $(RECIPE),--configfile "$(RECIPE)")
	@koine show $(if $(RECIPE),"$(RECIPE)")

test: $(VENV)/.stamp
	@pytest -n auto --dist loadgroup

test-all: test
	@pytest -n auto --dist loadgroup -m 'slow and not ($(PROGRAMS))'

lint: $(VENV)/.stamp
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile workflow
	snakemake --lint

report: table

docs: $(VENV)/.stamp
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "open $(abspath site)/index.html"

clean:
	rm -rf $(VENV)

$(VENV)/.stamp: constraints.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Koine needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install -q --disable-pip-version-check -c constraints.lock uv
	@VIRTUAL_ENV=$(abspath $(VENV)) $(VENV)/bin/uv pip install -q --compile-bytecode -c constraints.lock -e '.[dev]'
	@touch $@
