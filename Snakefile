# Koine: from raw questions to results/table.csv.
#
#   snakemake --cores all                                       the embedded sample
#   snakemake --cores all --configfile recipes/squad-fi.yaml    another experiment, laid over params.yaml
#   snakemake -n                                                what would run, and why
#
# One file per step in workflow/rules; each rule is one `koine` command (-p prints it). What the parameters mean
# for the workflow (files, flags, targets) is worked out in src/koine/workflow.
import os
import re
from pathlib import Path

from koine.workflow import checkout
from koine.workflow.experiment import Experiment
from koine.workflow.provenance import Provenance


configfile: "params.yaml"


# What the jobs run in where containers are asked for (--sdm apptainer): this Python, with koine installed into it.
container: "docker://python:3.11-slim"


experiment = Experiment(config, workflow.overwrite_configfiles)
sources, models, jobs = experiment.sources, experiment.models, experiment.jobs
# Before Snakemake reads its records; each job reads this file again, and has none to restore.
provenance = Provenance(experiment)
if workflow.is_main_process:
    provenance.restore()
checkout.distrust_tables(experiment.results)


# <data>/... in a rule is the recipe's own folder.
pathvars:
    data=experiment.data,
    models=experiment.model_folder,
    results=experiment.results,
    run="{backbone}/{strategy}/seed-{seed}",


wildcard_constraints:
    backbone="|".join(experiment.params.backbones),
    strategy=r"[a-z0-9@.+-]+",
    before=r"[a-z0-9@.+-]+",
    method=r"centre|lir(@\d+)?",
    seed=r"\d+",
    shard=r"\d+",
    lang=r"[A-Za-z0-9-]+",
    translator=r"[^/]+",
    source=r"[^/]+",
    benchmark="|".join(map(re.escape, sources.tested)),
    probe="|".join(map(re.escape, sources.probes)) or "none",
    own="|".join(map(re.escape, sources.absent)) or "none",


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
    checkout.hold()
    provenance.began()


onerror:
    provenance.store()


# `make table` prints it itself, also where nothing was left to do.
onsuccess:
    provenance.store()
    if "MAKELEVEL" not in os.environ:
        checkout.show(experiment.params.recipe)


# The vectors of hybrid+lir are made from those of hybrid: there is no such model. Nor is there one called bm25.
ruleorder: encode_debias > encode
ruleorder: evaluate_bm25 > evaluate_vectors


rule all:
    default_target: True
    input:
        "<results>/table.csv",
        "<results>/pairs.csv",
        "<results>/report.html",
        models.cards,
