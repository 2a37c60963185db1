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
    # It takes all cores: before long jobs of one core start, not while the others idle.
    priority: 1
    threads: 8
    params:
        out=subpath(output[0], parent=True),
        parallel=plan.parallel,
        flags=lookup(dpath="{backbone}", within=plan.tokenizers),
        code=plan.code("train"),
    shell:
        "koine train-tokens --qa {input.qa:q} {params.parallel} {params.flags} --out {params.out:q} > {log:q} 2>&1"


rule train_mine:
    input:
        qa="<data>/collect/qa.parquet",
        model=plan.mine["files"],
    output:
        "<data>/train/mined.parquet",
    log:
        "logs/<data>/train_mine.log",
    threads: 8
    params:
        flags=plan.mine["flags"],
        code=plan.code("train"),
    shell:
        "koine train-mine --qa {input.qa:q} {params.flags} --out {output:q} > {log:q} 2>&1"


rule train:
    input:
        tokens="<data>/train/{backbone}/tokenizer.json",
        texts=multiext("<data>/train/{backbone}/", "queries.arrow", "passages.arrow"),
        made_from=lookup(
            dpath="{backbone}/{strategy}/{seed}/files", within=plan.made_from
        ),
    output:
        multiext(
            "<models>/<run>/",
            "koine.json",
            "model.safetensors",
            "tokenizer.json",
            "modules.json",
            "config_sentence_transformers.json",
            "train.jsonl",
        ),
    log:
        "logs/<models>/<run>/train.log",
    resources:
        execution=plan.execution["train"],
    params:
        launch=plan.launch,
        tokens=subpath(input.tokens, parent=True),
        out=subpath(output[0], parent=True),
        strategy=lookup(dpath="{strategy}", within=plan.strategies),
        backbone=lookup(dpath="{backbone}", within=plan.backbones),
        made_from=lookup(
            dpath="{backbone}/{strategy}/{seed}/flags", within=plan.made_from
        ),
        source=plan.params.translate.source,
        flags=plan.given("train"),
        code=plan.code("train"),
    shell:
        "{params.launch}koine train --tokens {params.tokens:q} --source {params.source} {params.strategy} "
        "--seed {wildcards.seed} --backbone {wildcards.backbone:q} {params.backbone} {params.made_from} {params.flags} "
        "{resources.execution} --out {params.out:q} > {log:q} 2>&1"
