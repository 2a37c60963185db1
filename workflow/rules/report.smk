# Report: the tables with their intervals, the page, and the models' cards.


rule report:
    input:
        pairs=plan.per_run(
            "<data>/evaluate/{run}/{benchmark}/pairs.csv", plan.evaluated
        ),
        scores=plan.per_run(
            "<data>/evaluate/{run}/{benchmark}/scores.parquet", plan.evaluated
        ),
        models=plan.per_run("<models>/{run}/koine.json", plan.shown),
        logs=plan.per_run("<models>/{run}/train.jsonl", plan.shown),
        indexes=plan.per_run("<data>/index/{run}/{benchmark}/index.json", plan.indexed),
        collected="<data>/collect/collect.json",
        filtered=expand(
            "<data>/filter/{lang}.json", lang=plan.params.translate.languages
        ),
        style="src/koine/report/page.css",  # see Plan.distrust_checked_out_tables
        domains=expand(
            "<data>/collect/benchmarks/{benchmark}/domains.parquet",
            benchmark=plan.domains,
        ),
        probed=plan.per_probe("<data>/evaluate/{run}/{probe}/scores.parquet"),
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
        reported=plan.reported,
        flags=plan.given("report"),
        code=plan.code("report"),
    shell:
        "koine report {params.reported} {params.flags} --out {params.out} > {log} 2>&1"


rule report_cards:
    input:
        table="<results>/table.csv",
        pairs="<results>/pairs.csv",
        models=plan.per_run("<models>/{run}/koine.json", plan.shown),
    output:
        plan.cards,
    log:
        "logs/<data>/report_cards.log",
    params:
        results=subpath(input.table, parent=True),
        code=plan.code("report"),
    shell:
        "koine report-cards {input.models} --results {params.results} > {log} 2>&1"
