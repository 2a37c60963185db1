# Translate: each distinct text once per language, in a fixed number of shards.


rule translate:
    input:
        qa="<data>/collect/qa.parquet",
        resources=lookup(dpath="{lang}", within=plan.resources),
        back=lookup(dpath="{lang}", within=plan.reverse),
    output:
        "<data>/translate/{lang}/{shard}.parquet",
    log:
        "logs/<data>/translate/{lang}-{shard}.log",
    params:
        resources=lookup(dpath="{lang}", within=plan.resource_flags),
        flags=plan.flags["translate"],
        code=plan.code("translate"),
    shell:
        "koine translate --qa {input.qa} --target {wildcards.lang} --shard {wildcards.shard} {params.flags} "
        "{params.resources} --out {output} > {log} 2>&1"
