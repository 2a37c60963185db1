# Encode: each text of a benchmark once per model.


rule encode:
    input:
        model="<models>/<run>/koine.json",
        weights="<models>/<run>/model.safetensors",
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
    resources:
        execution=plan.execution["encode"],
    params:
        model=subpath(input.model, parent=True),
        benchmark=subpath(input.queries, parent=True),
        out=subpath(output[0], parent=True),
        flags=plan.flags["encode"],
        code=plan.code("encode"),
    shell:
        "koine encode --model {params.model} --benchmark {params.benchmark} {params.flags} "
        "{resources.execution} --out {params.out} > {log} 2>&1"
