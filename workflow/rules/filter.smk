# Filter: scores of every translated pair, then decisions by cheap thresholds.


rule filter_score:
    input:
        sources.heldout,
        lookup(dpath="{lang}/files", within=jobs.filter_score),
        qa="<data>/collect/qa.parquet",
        translations=expand(
            "<data>/translate/{{lang}}/{shard}.parquet", shard=experiment.shards
        ),
        benchmarks=expand(
            "<data>/collect/benchmarks/{benchmark}/queries.parquet",
            benchmark=sources.foreign,
        ),
    output:
        "<data>/filter/{lang}.scores.parquet",
    log:
        "logs/<data>/filter_score/{lang}.log",
    threads: experiment.params.execution.workers
    resources:
        execution=experiment.execution["filter_score"],
    params:
        flags=lookup(dpath="{lang}/flags", within=jobs.filter_score),
        code=lookup(dpath="{lang}/code", within=jobs.filter_score),
        content=lookup(dpath="{lang}/content", within=jobs.filter_score),
    shell:
        "koine filter-score {input.translations:q} --qa {input.qa:q} --lang {wildcards.lang} {params.flags} "
        "{resources.execution} --out {output:q} > {log:q} 2>&1"


rule filter:
    input:
        scores="<data>/filter/{lang}.scores.parquet",
        truth=lookup(dpath="files", within=jobs.filter),
    output:
        kept="<data>/filter/{lang}.parquet",
        summary="<data>/filter/{lang}.json",
    log:
        "logs/<data>/filter/{lang}.log",
    params:
        flags=lookup(dpath="flags", within=jobs.filter),
        code=lookup(dpath="code", within=jobs.filter),
    shell:
        "koine filter --scores {input.scores:q} {params.flags} --out {output.kept:q} --summary {output.summary:q} "
        "> {log:q} 2>&1"


rule filter_heldout:
    input:
        qa="<data>/collect/qa.parquet",
        heldout=sources.heldout,
        parallel=expand(
            "<data>/filter/{lang}.parquet",
            lang=experiment.params.translate.languages,
        ),
    output:
        sources.heldout_files,
    log:
        "logs/<data>/filter_heldout.log",
    params:
        out=subpath(output[0], ancestor=2),
        parallel=experiment.parallel,
        code=lookup(dpath="code", within=jobs.filter_heldout),
    shell:
        "koine filter-heldout --qa {input.qa:q} --heldout {input.heldout:q} {params.parallel} --out {params.out:q} "
        "> {log:q} 2>&1"
