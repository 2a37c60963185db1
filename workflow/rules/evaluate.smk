# Evaluate: all language pairs and the pool of all languages, from one score matrix per query language.


rule evaluate:
    input:
        query_vectors="<data>/encode/<run>/{benchmark}/queries.npy",
        passage_vectors="<data>/encode/<run>/{benchmark}/passages.npy",
        queries="<data>/collect/benchmarks/{benchmark}/queries.parquet",
        passages="<data>/collect/benchmarks/{benchmark}/passages.parquet",
        qrels="<data>/collect/benchmarks/{benchmark}/qrels.parquet",
    output:
        multiext("<data>/evaluate/<run>/{benchmark}/", "pairs.csv", "scores.parquet"),
    log:
        "logs/<data>/evaluate/<run>/{benchmark}.log",
    params:
        vectors=subpath(input.query_vectors, parent=True),
        benchmark=subpath(input.queries, parent=True),
        out=subpath(output[0], parent=True),
        recipe=plan.params.recipe,
        pools=plan.pools,
        settings=lookup(dpath="{benchmark}", within=plan.settings),
        metrics=lookup(dpath="{benchmark}", within=plan.metrics),
        code=plan.code("evaluate"),
    shell:
        "koine evaluate --vectors {params.vectors} --benchmark {params.benchmark} --recipe {params.recipe} "
        "--backbone {wildcards.backbone} --strategy {wildcards.strategy} --seed {wildcards.seed} {params.pools} "
        "{params.settings} {params.metrics} --out {params.out} > {log} 2>&1"


rule evaluate_bm25:
    input:
        queries="<data>/collect/benchmarks/{benchmark}/queries.parquet",
        passages="<data>/collect/benchmarks/{benchmark}/passages.parquet",
        qrels="<data>/collect/benchmarks/{benchmark}/qrels.parquet",
    output:
        multiext(
            "<data>/evaluate/bm25/untrained/seed-0/{benchmark}/",
            "pairs.csv",
            "scores.parquet",
        ),
    log:
        "logs/<data>/evaluate/bm25/untrained/seed-0/{benchmark}.log",
    params:
        benchmark=subpath(input.queries, parent=True),
        out=subpath(output[0], parent=True),
        recipe=plan.params.recipe,
        pools=plan.pools,
        settings=lookup(dpath="{benchmark}", within=plan.settings),
        metrics=lookup(dpath="{benchmark}", within=plan.metrics),
        code=plan.code("evaluate"),
    shell:
        "koine evaluate-bm25 --benchmark {params.benchmark} --recipe {params.recipe} {params.pools} "
        "{params.settings} {params.metrics} --out {params.out} > {log} 2>&1"


rule evaluate_probe:
    input:
        model="<models>/<run>/koine.json",
        weights="<models>/<run>/model.safetensors",
        train=lookup(dpath="{probe}/train", within=plan.probes),
        test=lookup(dpath="{probe}/test", within=plan.probes),
    output:
        multiext("<data>/evaluate/<run>/{probe}/", "pairs.csv", "scores.parquet"),
    log:
        "logs/<data>/evaluate_probe/<run>/{probe}.log",
    params:
        flags=plan.given("evaluate_probe"),
        model=subpath(input.model, parent=True),
        out=subpath(output[0], parent=True),
        recipe=plan.params.recipe,
        code=plan.code("evaluate"),
    shell:
        "koine evaluate-probe --model {params.model} --train {input.train} --test {input.test} --recipe {params.recipe} "
        "--name {wildcards.probe} --backbone {wildcards.backbone} --strategy {wildcards.strategy} --seed {wildcards.seed} "
        "{params.flags} --out {params.out} > {log} 2>&1"
