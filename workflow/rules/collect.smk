# Collect: download the raw files, read them, drop duplicates and whatever a benchmark contains.


rule collect_sample:
    output:
        plan.sample_files,
    log:
        f"logs/{plan.sample}/collect_sample.log",
    params:
        out=subpath(output[0], parent=True),
        flags=plan.given("collect_sample"),
        code=plan.code("collect"),
    shell:
        "koine collect-sample {params.flags} --out {params.out:q} > {log:q} 2>&1"


# Downloads run where Snakemake runs: a cluster's nodes often have no internet.
rule collect_download:
    output:
        "data/raw/{source}/{file}",
    log:
        "logs/raw/{source}/{file}.log",
    retries: 2
    localrule: True
    params:
        flags=plan.downloaded,
    shell:
        "koine collect-download {params.flags} --out {output:q} > {log:q} 2>&1"


# Only files that are missing match {own}: what a person has put there is never a job's output.
rule collect_own:
    output:
        "{own}",
    log:
        "logs/{own}.log",
    localrule: True
    params:
        flags=plan.home,
    shell:
        "koine collect-own {params.flags} --out {output:q} > {log:q} 2>&1"


rule collect_source:
    input:
        lookup(dpath="{source}/files", within=plan.sources),
    output:
        "<data>/collect/sources/{source}.parquet",
    log:
        "logs/<data>/collect_source/{source}.log",
    params:
        flags=lookup(dpath="{source}/flags", within=plan.sources),
        code=plan.code("collect"),
    shell:
        "koine collect-source {input:q} --name {wildcards.source} {params.flags} --out {output:q} > {log:q} 2>&1"


rule collect_benchmark:
    input:
        lookup(dpath="{benchmark}/files", within=plan.benchmarks),
    output:
        multiext(
            "<data>/collect/benchmarks/{benchmark}/",
            "queries.parquet",
            "passages.parquet",
            "qrels.parquet",
        ),
    log:
        "logs/<data>/collect_benchmark/{benchmark}.log",
    params:
        out=subpath(output[0], parent=True),
        flags=lookup(dpath="{benchmark}/flags", within=plan.benchmarks),
        code=plan.code("collect"),
    shell:
        "koine collect-benchmark {params.flags} --out {params.out:q} > {log:q} 2>&1"


rule collect_domains:
    input:
        passages="<data>/collect/benchmarks/{benchmark}/passages.parquet",
        qrels="<data>/collect/benchmarks/{benchmark}/qrels.parquet",
        labels=lookup(dpath="{benchmark}/files", within=plan.domains),
    output:
        "<data>/collect/benchmarks/{benchmark}/domains.parquet",
    log:
        "logs/<data>/collect_domains/{benchmark}.log",
    params:
        benchmark=subpath(input.passages, parent=True),
        flags=lookup(dpath="{benchmark}/flags", within=plan.domains),
        code=plan.code("collect"),
    shell:
        "koine collect-domains {params.benchmark:q} {params.flags} --out {output:q} > {log:q} 2>&1"


rule collect:
    input:
        sources=expand("<data>/collect/sources/{source}.parquet", source=plan.sources),
        benchmarks=expand(
            "<data>/collect/benchmarks/{benchmark}/queries.parquet",
            benchmark=plan.foreign,
        ),
    output:
        plan.heldout,
        qa="<data>/collect/qa.parquet",
        dropped="<data>/collect/dropped.parquet",
        summary="<data>/collect/collect.json",
    log:
        "logs/<data>/collect.log",
    params:
        out=subpath(output.qa, parent=True),
        benchmarks=plan.tested,
        flags=plan.given("collect"),
        code=plan.code("collect"),
    shell:
        "koine collect {input.sources:q} {params.benchmarks} {params.flags} --out {params.out:q} > {log:q} 2>&1"
