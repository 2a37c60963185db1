# Index: FAISS over the pool of all languages, for the models that are to be searched with.


rule index:
    input:
        query_vectors="<data>/encode/<run>/{benchmark}/queries.npy",
        passage_vectors="<data>/encode/<run>/{benchmark}/passages.npy",
        vectors_made="<data>/encode/<run>/{benchmark}/encode.json",
        queries="<data>/collect/benchmarks/{benchmark}/queries.parquet",
        passages="<data>/collect/benchmarks/{benchmark}/passages.parquet",
    output:
        multiext(
            "<data>/index/<run>/{benchmark}/",
            "index.faiss",
            "ids.parquet",
            "index.json",
        ),
    log:
        "logs/<data>/index/<run>/{benchmark}.log",
    threads: 8
    params:
        vectors=subpath(input.query_vectors, parent=True),
        benchmark=subpath(input.queries, parent=True),
        out=subpath(output[0], parent=True),
        flags=lookup(dpath="flags", within=jobs.index),
        code=lookup(dpath="code", within=jobs.index),
    shell:
        "koine index --vectors {params.vectors:q} --benchmark {params.benchmark:q} {params.flags} "
        "--out {params.out:q} > {log:q} 2>&1"
