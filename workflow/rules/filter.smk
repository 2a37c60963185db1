# Filter: scores of every translated pair, then decisions by cheap thresholds.


rule filter_score:
    input:
        plan.heldout,
        qa="<data>/collect/qa.parquet",
        translations=expand(
            "<data>/translate/{{lang}}/{shard}.parquet", shard=plan.shards
        ),
        benchmarks=expand(
            "<data>/collect/benchmarks/{benchmark}/queries.parquet",
            benchmark=plan.foreign,
        ),
        external=lookup(dpath="{lang}", within=plan.external),
    output:
        "<data>/filter/{lang}.scores.parquet",
    log:
        "logs/<data>/filter_score/{lang}.log",
    threads: plan.params.execution.workers
    resources:
        execution=plan.execution["filter_score"],
    params:
        benchmarks=plan.tested,
        external=lookup(dpath="{lang}", within=plan.external_flags),
        flags=plan.given("filter_score"),
        code=plan.code("filter"),
    shell:
        "koine filter-score {input.translations:q} --qa {input.qa:q} --lang {wildcards.lang} {params.flags} "
        "{params.external} {params.benchmarks} {resources.execution} --out {output:q} > {log:q} 2>&1"


rule filter:
    input:
        scores="<data>/filter/{lang}.scores.parquet",
        truth=plan.truth,
    output:
        kept="<data>/filter/{lang}.parquet",
        summary="<data>/filter/{lang}.json",
    log:
        "logs/<data>/filter/{lang}.log",
    params:
        flags=plan.given("filter"),
        code=plan.code("filter"),
    shell:
        "koine filter --scores {input.scores:q} {params.flags} "
        "--out {output.kept:q} --summary {output.summary:q} > {log:q} 2>&1"


rule filter_heldout:
    input:
        qa="<data>/collect/qa.parquet",
        heldout=plan.heldout,
        parallel=expand(
            "<data>/filter/{lang}.parquet", lang=plan.params.translate.languages
        ),
    output:
        plan.heldout_files,
    log:
        "logs/<data>/filter_heldout.log",
    params:
        out=subpath(output[0], ancestor=2),
        parallel=plan.parallel,
        code=plan.code("filter"),
    shell:
        "koine filter-heldout --qa {input.qa:q} --heldout {input.heldout:q} {params.parallel} "
        "--out {params.out:q} > {log:q} 2>&1"
