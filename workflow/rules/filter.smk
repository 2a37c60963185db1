# Filter: scores of every translated pair, then decisions by cheap thresholds.


rule filter_score:
    input:
        qa="<data>/collect/qa.parquet",
        translations=expand(
            "<data>/translate/{{lang}}/{shard}.parquet", shard=plan.shards
        ),
        benchmarks=expand(
            "<data>/collect/benchmarks/{benchmark}/queries.parquet",
            benchmark=plan.benchmarks,
        ),
    output:
        "<data>/filter/{lang}.scores.parquet",
    log:
        "logs/<data>/filter_score/{lang}.log",
    threads: plan.params.execution.workers
    resources:
        execution=plan.execution["filter_score"],
    params:
        benchmarks=plan.tested,
        flags=plan.given("filter_score"),
        code=plan.code("filter"),
    shell:
        "koine filter-score {input.translations} --qa {input.qa} --lang {wildcards.lang} {params.flags} "
        "{params.benchmarks} {resources.execution} --out {output} > {log} 2>&1"


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
        "koine filter --scores {input.scores} {params.flags} "
        "--out {output.kept} --summary {output.summary} > {log} 2>&1"
