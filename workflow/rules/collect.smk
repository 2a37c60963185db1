# Collect: bring the raw files, read them, drop duplicates and whatever a benchmark contains.


rule collect_sample:
    output:
        sources.sample_files,
    log:
        f"logs/{sources.sample}/collect_sample.log",
    params:
        out=subpath(output[0], parent=True),
        flags=lookup(dpath="flags", within=jobs.collect_sample),
        code=lookup(dpath="code", within=jobs.collect_sample),
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
        flags=experiment.download,
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
        flags=experiment.home,
    shell:
        "koine collect-own {params.flags} --out {output:q} > {log:q} 2>&1"


rule collect_source:
    input:
        lookup(dpath="{source}/files", within=jobs.collect_source),
    output:
        "<data>/collect/sources/{source}.parquet",
    log:
        "logs/<data>/collect_source/{source}.log",
    params:
        flags=lookup(dpath="{source}/flags", within=jobs.collect_source),
        code=lookup(dpath="{source}/code", within=jobs.collect_source),
        content=lookup(dpath="{source}/content", within=jobs.collect_source),
    shell:
        "koine collect-source {input:q} --name {wildcards.source} {params.flags} --out {output:q} > {log:q} 2>&1"


rule collect_benchmark:
    input:
        lookup(dpath="{benchmark}/files", within=jobs.collect_benchmark),
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
        flags=lookup(dpath="{benchmark}/flags", within=jobs.collect_benchmark),
        code=lookup(dpath="{benchmark}/code", within=jobs.collect_benchmark),
        content=lookup(dpath="{benchmark}/content", within=jobs.collect_benchmark),
    shell:
        "koine collect-benchmark {params.flags} --out {params.out:q} > {log:q} 2>&1"


rule collect_domains:
    input:
        passages="<data>/collect/benchmarks/{benchmark}/passages.parquet",
        qrels="<data>/collect/benchmarks/{benchmark}/qrels.parquet",
        labels=lookup(dpath="{benchmark}/files", within=jobs.collect_domains),
    output:
        "<data>/collect/benchmarks/{benchmark}/domains.parquet",
    log:
        "logs/<data>/collect_domains/{benchmark}.log",
    params:
        benchmark=subpath(input.passages, parent=True),
        flags=lookup(dpath="{benchmark}/flags", within=jobs.collect_domains),
        code=lookup(dpath="{benchmark}/code", within=jobs.collect_domains),
        content=lookup(dpath="{benchmark}/content", within=jobs.collect_domains),
    shell:
        "koine collect-domains {params.benchmark:q} {params.flags} --out {output:q} > {log:q} 2>&1"


rule collect:
    input:
        sources=expand(
            "<data>/collect/sources/{source}.parquet", source=jobs.collect_source
        ),
        benchmarks=expand(
            "<data>/collect/benchmarks/{benchmark}/queries.parquet",
            benchmark=sources.foreign,
        ),
    output:
        sources.heldout,
        qa="<data>/collect/qa.parquet",
        dropped="<data>/collect/dropped.parquet",
        summary="<data>/collect/collect.json",
    log:
        "logs/<data>/collect.log",
    params:
        out=subpath(output.qa, parent=True),
        flags=lookup(dpath="flags", within=jobs.collect),
        code=lookup(dpath="code", within=jobs.collect),
    shell:
        "koine collect {input.sources:q} {params.flags} --out {params.out:q} > {log:q} 2>&1"
