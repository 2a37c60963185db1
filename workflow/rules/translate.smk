# Translate: each distinct text once per language, in a fixed number of shards.


rule translate_convert:
    output:
        multiext("models/translation/{translator}/", "model.bin", "koine.json"),
    log:
        "logs/models/translation/{translator}.log",
    params:
        out=subpath(output[0], parent=True),
        flags=lookup(dpath="{translator}", within=plan.translators),
        code=plan.code("translate"),
    shell:
        "koine translate-convert {params.flags} --out {params.out:q} > {log:q} 2>&1"


rule translate:
    input:
        plan.heldout,
        qa="<data>/collect/qa.parquet",
        resources=lookup(dpath="{lang}", within=plan.resources),
        back=lookup(dpath="{lang}", within=plan.reverse),
        converted=lookup(dpath="{lang}", within=plan.converted),
    output:
        "<data>/translate/{lang}/{shard}.parquet",
    log:
        "logs/<data>/translate/{lang}-{shard}.log",
    threads: plan.params.execution.translate_threads
    resources:
        execution=plan.execution["translate"],
    params:
        resources=lookup(dpath="{lang}", within=plan.resource_flags),
        flags=plan.given("translate"),
        code=plan.code("translate"),
    shell:
        "koine translate --qa {input.qa:q} --target {wildcards.lang} --shard {wildcards.shard} {params.flags} "
        "{params.resources} {resources.execution} --out {output:q} > {log:q} 2>&1"
