# Train: a tokenizer per backbone, then one model per backbone, strategy and seed.


rule train_tokens:
    input:
        qa="<data>/collect/qa.parquet",
        parallel=expand(
            "<data>/filter/{lang}.parquet", lang=plan.params.translate.languages
        ),
    output:
        multiext(
            "<data>/train/{backbone}/",
            "tokenizer.json",
            "queries.arrow",
            "passages.arrow",
        ),
    log:
        "logs/<data>/train_tokens/{backbone}.log",
    threads: 8
    params:
        out=subpath(output[0], parent=True),
        parallel=plan.parallel,
        flags=lookup(dpath="{backbone}", within=plan.tokenizers),
        code=plan.code("train"),
    shell:
        "koine train-tokens --qa {input.qa} {params.parallel} {params.flags} --out {params.out} > {log} 2>&1"


rule train:
    input:
        tokens="<data>/train/{backbone}/tokenizer.json",
        texts=multiext("<data>/train/{backbone}/", "queries.arrow", "passages.arrow"),
    output:
        multiext(
            "<models>/<run>/",
            "koine.json",
            "model.safetensors",
            "tokenizer.json",
            "modules.json",
            "config_sentence_transformers.json",
            "train.jsonl",
            "README.md",
        ),
    log:
        "logs/<models>/<run>/train.log",
    resources:
        execution=plan.execution["train"],
    params:
        tokens=subpath(input.tokens, parent=True),
        out=subpath(output[0], parent=True),
        strategy=lookup(dpath="{strategy}", within=plan.strategies),
        backbone=lookup(dpath="{backbone}", within=plan.backbones),
        source=plan.params.translate.source,
        code=plan.code("train"),
    shell:
        "koine train --tokens {params.tokens} --source {params.source} {params.strategy} --seed {wildcards.seed} "
        "--backbone {wildcards.backbone} {params.backbone} {resources.execution} --out {params.out} > {log} 2>&1"
