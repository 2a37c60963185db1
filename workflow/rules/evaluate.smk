# Evaluate: all language pairs and the pool of all languages, from one score matrix per query language.


rule evaluate_vectors:
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
        flags=lookup(dpath="{benchmark}/flags", within=jobs.evaluate_vectors),
        code=lookup(dpath="{benchmark}/code", within=jobs.evaluate_vectors),
    shell:
        "koine evaluate-vectors --vectors {params.vectors:q} --benchmark {params.benchmark:q} --backbone {wildcards.backbone} "
        "--strategy {wildcards.strategy} --seed {wildcards.seed} {params.flags} --out {params.out:q} > {log:q} 2>&1"


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
        flags=lookup(dpath="{benchmark}/flags", within=jobs.evaluate_bm25),
        code=lookup(dpath="{benchmark}/code", within=jobs.evaluate_bm25),
    shell:
        "koine evaluate-bm25 --benchmark {params.benchmark:q} {params.flags} --out {params.out:q} > {log:q} 2>&1"


rule evaluate_probe:
    input:
        model="<models>/<run>/koine.json",
        weights="<models>/<run>/model.safetensors",
        train=lookup(dpath="{probe}/train", within=experiment.probes),
        test=lookup(dpath="{probe}/test", within=experiment.probes),
    output:
        multiext("<data>/evaluate/<run>/{probe}/", "pairs.csv", "scores.parquet"),
    log:
        "logs/<data>/evaluate_probe/<run>/{probe}.log",
    params:
        model=subpath(input.model, parent=True),
        out=subpath(output[0], parent=True),
        flags=lookup(dpath="{backbone}/flags", within=jobs.evaluate_probe),
        code=lookup(dpath="{backbone}/code", within=jobs.evaluate_probe),
        content=lookup(dpath="{probe}/content", within=experiment.probes),
    shell:
        "koine evaluate-probe --model {params.model:q} --train {input.train:q} --test {input.test:q} --name {wildcards.probe} "
        "--backbone {wildcards.backbone} --strategy {wildcards.strategy} --seed {wildcards.seed} {params.flags} "
        "--out {params.out:q} > {log:q} 2>&1"
