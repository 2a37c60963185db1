# Report: the tables with their intervals, the page, and the models' cards.


rule report:
    input:
        pairs=experiment.per_run(
            "<data>/evaluate/{run}/{benchmark}/pairs.csv", models.evaluated
        ),
        scores=experiment.per_run(
            "<data>/evaluate/{run}/{benchmark}/scores.parquet", models.evaluated
        ),
        models=experiment.per_run("<models>/{run}/koine.json", models.shown),
        logs=experiment.per_run("<models>/{run}/train.jsonl", models.shown),
        indexes=experiment.per_run(
            "<data>/index/{run}/{benchmark}/index.json", models.indexed
        ),
        collected="<data>/collect/collect.json",
        filtered=expand(
            "<data>/filter/{lang}.json", lang=experiment.params.translate.languages
        ),
        style="src/koine/report/page.css",  # see workflow/checkout.py
        domains=expand(
            "<data>/collect/benchmarks/{benchmark}/domains.parquet",
            benchmark=jobs.collect_domains,
        ),
        probed=experiment.per_probe("<data>/evaluate/{run}/{probe}/scores.parquet"),
    output:
        table=report(
            "<results>/table.csv", caption="../report/table.rst", category="report"
        ),
        pairs=report(
            "<results>/pairs.csv", caption="../report/pairs.rst", category="evaluate"
        ),
        page=report(
            "<results>/report.html", caption="../report/page.rst", category="report"
        ),
        metrics="<results>/metrics.json",
        groups="<results>/groups.csv",
        answers="<results>/answers.csv",
        domains="<results>/domains.csv",
        contrasts=report(
            "<results>/contrasts.csv",
            caption="../report/contrasts.rst",
            category="report",
        ),
        claims=report(
            "<results>/claims.csv", caption="../report/claims.rst", category="report"
        ),
        verdicts="<results>/claims.md",
        published="<results>/published.csv",
        beside="<results>/published.md",
    log:
        "logs/<data>/report.log",
    params:
        out=subpath(output.table, parent=True),
        flags=lookup(dpath="flags", within=jobs.report),
        code=lookup(dpath="code", within=jobs.report),
    shell:
        "koine report {params.flags} --out {params.out:q} > {log:q} 2>&1"


rule report_cards:
    input:
        table="<results>/table.csv",
        pairs="<results>/pairs.csv",
        models=experiment.per_run("<models>/{run}/koine.json", models.shown),
    output:
        models.cards,
    log:
        "logs/<data>/report_cards.log",
    params:
        results=subpath(input.table, parent=True),
        code=lookup(dpath="code", within=jobs.report_cards),
    shell:
        "koine report-cards {input.models:q} --results {params.results:q} > {log:q} 2>&1"
