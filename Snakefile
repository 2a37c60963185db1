# Koine: from raw questions to results/table.csv.
#
#   snakemake --cores all                                       the embedded sample
#   snakemake --cores all --configfile recipes/squad-fi.yaml    another experiment, laid over params.yaml
#   snakemake -n                                                what would run, and why
#
# One file per step in workflow/rules; each rule is one `koine` command (-p prints it). What the parameters mean
# for the workflow (files, flags, targets) is worked out in src/koine/plan.py.
import os
import re
from pathlib import Path

from koine.params import check_recipes
from koine.plan import Plan


configfile: "params.yaml"


# What the jobs run in where containers are asked for (--sdm apptainer): this Python, with koine installed into it.
container: "docker://python:3.11-slim"


check_recipes(map(Path, workflow.overwrite_configfiles))
plan = Plan(config)
plan.distrust_checked_out_tables()


# <data>/... in a rule is the recipe's own folder.
pathvars:
    data=plan.data,
    models=plan.models,
    results=plan.results,
    run="{backbone}/{strategy}/seed-{seed}",


wildcard_constraints:
    backbone="|".join(plan.params.backbones),
    strategy=r"[a-z0-9@.+-]+",
    before=r"[a-z0-9@.+-]+",
    method=r"centre|lir(@\d+)?",
    seed=r"\d+",
    shard=r"\d+",
    lang=r"[A-Za-z0-9-]+",
    translator=r"[^/]+",
    source="|".join(plan.sources | plan.fetch),
    benchmark="|".join(plan.benchmarks),
    probe="|".join(plan.probes) or "none",
    own="|".join(map(re.escape, plan.absent)) or "none",


include: "workflow/rules/collect.smk"
include: "workflow/rules/translate.smk"
include: "workflow/rules/filter.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/encode.smk"
include: "workflow/rules/index.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


# Snakemake's own lock, off in profiles/default, would outlive a run that was killed; the kernel's does not.
onstart:
    plan.hold_checkout()


# `make table` prints it itself, also where nothing was left to do.
onsuccess:
    if "MAKELEVEL" not in os.environ:
        plan.show()


# The vectors of hybrid+lir are made from those of hybrid: there is no such model. Nor is there one called bm25.
ruleorder: encode_debias > encode
ruleorder: evaluate_bm25 > evaluate


rule all:
    default_target: True
    input:
        "<results>/table.csv",
        "<results>/pairs.csv",
        "<results>/report.html",
        plan.cards,
