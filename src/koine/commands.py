"""Where each command is: its module and its function. A step of the workflow is the rule of that name.

The rule is the unit of code: what the function of a step can reach is what its digest covers (`koine.code`).
"""

STEPS: dict[str, str] = {
    "collect_sample": "koine.collect.sample",
    "collect_download": "koine.collect.download",
    "collect_own": "koine.collect.own",
    "collect_source": "koine.collect.source",
    "collect_benchmark": "koine.collect.benchmark",
    "collect_domains": "koine.collect.domains",
    "collect": "koine.collect.merge",
    "translate_convert": "koine.translate.convert",
    "translate": "koine.translate.shard",
    "filter_score": "koine.filter.score",
    "filter": "koine.filter.decide",
    "filter_heldout": "koine.filter.heldout",
    "train_tokens": "koine.train.tokens",
    "train_mine": "koine.train.mine",
    "train": "koine.train.model",
    "encode_tokens": "koine.encode.tokens",
    "encode": "koine.encode.texts",
    "encode_debias": "koine.encode.debias",
    "index": "koine.index.build",
    "evaluate_vectors": "koine.evaluate.vectors",
    "evaluate_bm25": "koine.evaluate.bm25",
    "evaluate_probe": "koine.evaluate.probe",
    "report": "koine.report.report",
    "report_cards": "koine.report.cards",
}

PEOPLE: dict[str, str] = {
    "init": "koine.people.init",
    "doctor": "koine.people.doctor",
    "plan": "koine.people.plan",
    "fetch": "koine.people.fetch",
    "evaluate": "koine.people.evaluate",
    "evaluate_mteb": "koine.people.mteb",
    "search": "koine.people.search",
    "export": "koine.people.export",
    "show": "koine.people.show",
    "check": "koine.people.check",
    "sources": "koine.people.sources",
    "standins": "koine.people.standins",
}
