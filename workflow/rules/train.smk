# Train: a tokenizer per backbone, then one model per backbone, strategy and seed.


rule train_tokens:
    input:
        lookup(dpath="{backbone}/files", within=jobs.train_tokens),
        qa="<data>/collect/qa.parquet",
        parallel=expand(
            "<data>/filter/{lang}.parquet",
            lang=experiment.params.translate.languages,
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
        parallel=experiment.parallel,
        flags=lookup(dpath="{backbone}/flags", within=jobs.train_tokens),
        code=lookup(dpath="{backbone}/code", within=jobs.train_tokens),
        content=lookup(dpath="{backbone}/content", within=jobs.train_tokens),
    shell:
        "koine train-tokens --qa {input.qa:q} {params.parallel} {params.flags} --out {params.out:q} > {log:q} 2>&1"


rule train_mine:
    input:
        lookup(dpath="files", within=jobs.train_mine),
        qa="<data>/collect/qa.parquet",
    output:
        "<data>/train/mined.parquet",
    log:
        "logs/<data>/train_mine.log",
    threads: 8
    params:
        flags=lookup(dpath="flags", within=jobs.train_mine),
        code=lookup(dpath="code", within=jobs.train_mine),
        content=lookup(dpath="content", within=jobs.train_mine),
    shell:
        "koine train-mine --qa {input.qa:q} {params.flags} --out {output:q} > {log:q} 2>&1"


rule train:
    input:
        lookup(dpath="{backbone}/{strategy}/{seed}/files", within=jobs.train),
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
        ),
    log:
        "logs/<models>/<run>/train.log",
    resources:
        execution=experiment.execution["train"],
    params:
        tokens=subpath(input.tokens, parent=True),
        out=subpath(output[0], parent=True),
        launch=experiment.launch,
        flags=lookup(dpath="{backbone}/{strategy}/{seed}/flags", within=jobs.train),
        code=lookup(dpath="{backbone}/{strategy}/{seed}/code", within=jobs.train),
        content=lookup(dpath="{backbone}/{strategy}/{seed}/content", within=jobs.train),
    shell:
        "{params.launch}koine train --tokens {params.tokens:q} --backbone {wildcards.backbone} --seed {wildcards.seed} "
        "{params.flags} {resources.execution} --out {params.out:q} > {log:q} 2>&1"
