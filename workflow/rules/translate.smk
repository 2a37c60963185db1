# Translate: each distinct text once per language, in a fixed number of shards.


rule translate_convert:
    input:
        lookup(dpath="{translator}/files", within=jobs.translate_convert),
    output:
        multiext("models/translation/{translator}/", "model.bin", "koine.json"),
    log:
        "logs/models/translation/{translator}.log",
    params:
        out=subpath(output[0], parent=True),
        flags=lookup(dpath="{translator}/flags", within=jobs.translate_convert),
        code=lookup(dpath="{translator}/code", within=jobs.translate_convert),
        content=lookup(dpath="{translator}/content", within=jobs.translate_convert),
    shell:
        "koine translate-convert {params.flags} --out {params.out:q} > {log:q} 2>&1"


rule translate:
    input:
        sources.heldout,
        qa="<data>/collect/qa.parquet",
        resources=lookup(dpath="{lang}/files", within=jobs.translate),
    output:
        "<data>/translate/{lang}/{shard}.parquet",
    log:
        "logs/<data>/translate/{lang}-{shard}.log",
    threads: experiment.params.execution.translate_threads
    resources:
        execution=experiment.execution["translate"],
    params:
        flags=lookup(dpath="{lang}/flags", within=jobs.translate),
        code=lookup(dpath="{lang}/code", within=jobs.translate),
        content=lookup(dpath="{lang}/content", within=jobs.translate),
    shell:
        "koine translate --qa {input.qa:q} --target {wildcards.lang} --shard {wildcards.shard} {params.flags} "
        "{resources.execution} --out {output:q} > {log:q} 2>&1"
