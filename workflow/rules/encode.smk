# Encode: a benchmark's texts as token ids once per backbone, then each text once per model.


rule encode_tokens:
    input:
        tokenizer="<data>/train/{backbone}/tokenizer.json",
        queries="<data>/collect/benchmarks/{benchmark}/queries.parquet",
        passages="<data>/collect/benchmarks/{benchmark}/passages.parquet",
    output:
        multiext(
            "<data>/encode/{backbone}/tokens/{benchmark}/",
            "queries.arrow",
            "passages.arrow",
        ),
    log:
        "logs/<data>/encode_tokens/{backbone}/{benchmark}.log",
    params:
        benchmark=subpath(input.queries, parent=True),
        out=subpath(output[0], parent=True),
        flags=lookup(dpath="{backbone}/flags", within=jobs.encode_tokens),
        code=lookup(dpath="{backbone}/code", within=jobs.encode_tokens),
    shell:
        "koine encode-tokens --tokenizer {input.tokenizer:q} --benchmark {params.benchmark:q} {params.flags} "
        "--out {params.out:q} > {log:q} 2>&1"


rule encode:
    input:
        model="<models>/<run>/koine.json",
        weights="<models>/<run>/model.safetensors",
        tokens="<data>/encode/{backbone}/tokens/{benchmark}/queries.arrow",
        passage_tokens="<data>/encode/{backbone}/tokens/{benchmark}/passages.arrow",
        queries="<data>/collect/benchmarks/{benchmark}/queries.parquet",
        passages="<data>/collect/benchmarks/{benchmark}/passages.parquet",
    output:
        multiext(
            "<data>/encode/<run>/{benchmark}/",
            "queries.npy",
            "passages.npy",
            "encode.json",
        ),
    log:
        "logs/<data>/encode/<run>/{benchmark}.log",
    params:
        model=subpath(input.model, parent=True),
        tokens=subpath(input.tokens, parent=True),
        benchmark=subpath(input.queries, parent=True),
        out=subpath(output[0], parent=True),
        launch=experiment.launch,
        flags=lookup(dpath="{backbone}/flags", within=jobs.encode),
        code=lookup(dpath="{backbone}/code", within=jobs.encode),
    shell:
        "{params.launch}koine encode --model {params.model:q} --tokens {params.tokens:q} --benchmark {params.benchmark:q} "
        "{params.flags} --out {params.out:q} > {log:q} 2>&1"


rule encode_debias:
    input:
        queries_npy="<data>/encode/{backbone}/{before}/seed-{seed}/{benchmark}/queries.npy",
        passages_npy="<data>/encode/{backbone}/{before}/seed-{seed}/{benchmark}/passages.npy",
        about="<data>/encode/{backbone}/{before}/seed-{seed}/{benchmark}/encode.json",
        queries="<data>/collect/benchmarks/{benchmark}/queries.parquet",
        passages="<data>/collect/benchmarks/{benchmark}/passages.parquet",
    output:
        multiext(
            "<data>/encode/{backbone}/{before}+{method}/seed-{seed}/{benchmark}/",
            "queries.npy",
            "passages.npy",
            "encode.json",
        ),
    log:
        "logs/<data>/encode_debias/{backbone}/{before}+{method}/seed-{seed}/{benchmark}.log",
    params:
        vectors=subpath(input.queries_npy, parent=True),
        benchmark=subpath(input.queries, parent=True),
        out=subpath(output[0], parent=True),
        flags=lookup(dpath="flags", within=jobs.encode_debias),
        code=lookup(dpath="code", within=jobs.encode_debias),
    shell:
        "koine encode-debias --vectors {params.vectors:q} --benchmark {params.benchmark:q} --method {wildcards.method} "
        "{params.flags} --out {params.out:q} > {log:q} 2>&1"
