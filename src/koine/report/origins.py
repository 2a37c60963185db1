"""Where the results come from: the page's sections on data, training, indexes, and what all that took."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from koine.filter.rules import reasons
from koine.licences import labelled
from koine.report.markup import DASH, Html, caption, count, fraction, join, listing, share, tag
from koine.report.svg import KINDS, Line, Point, Scale, curves, dashes, histogram
from koine.report.view import View, named_language

BINS = 60  # points of a curve
WINDOW = 2  # neighbours on either side that smooth a point

Json = Mapping[str, Any]


Head = tuple[str, str | None]


def _table(said: str, heads: Sequence[Head], rows: Sequence[Sequence[Html]], class_: str = "sort") -> Html:
    """A table from its caption, headings (text, class) and rows of cells."""
    head = tag("tr", *(tag("th", text, class_=own, scope="col") for text, own in heads))
    body = [tag("tr", *cells) for cells in rows]
    return tag("div", tag("table", caption(said), tag("thead", head), tag("tbody", *body), class_=class_), class_="wide")


def _cell(value: str | int) -> Html:
    return tag("td", f"{value:,}", class_="n") if isinstance(value, int) else tag("td", value)


def _filled(part: int, whole_: int, widest: float) -> Html:
    """A count over a bar of its share; `widest` is the share that fills the cell."""
    width = 100 * part / whole_ / widest if whole_ and widest else 0
    return tag("td", f"{part:,}", class_=f"n fill v{width:.0f}", title=share(part, whole_))


def data(collected: Json, filtered: Sequence[Json], source: str | None) -> Html | None:
    """What was collected, what went and why, and what the filter did to the translations.

    Args:
        collected: collect.json.
        filtered: a summary per language.
        source: the language that was translated from, where it is known.
    """
    parts = [*(_collected(collected) if collected else ()), *(_filtered(filtered, source) if filtered else ())]
    planted = [summary for summary in filtered if summary.get("planted")]
    return join([*parts, *(_planted(planted) if planted else ())]) or None


def _collected(collected: Json) -> Iterator[Html]:
    total, kept, dropped = collected["collected"], collected["kept"], collected.get("dropped", {})
    yield tag("h3", "Collected questions")
    passages = f" on {count(collected['passages'], 'passage')}" if "passages" in collected else ""
    yield tag("p", f"Of {count(total, 'collected question')}, {kept:,} ({share(kept, total)}){passages} were kept.")
    heldout = collected.get("heldout", 0)
    pieces = [("kept", kept), *([("held out", heldout)] if heldout else []), *dropped.items()]
    flow = [
        tag("div", f"{name} {n:,}", class_=f"{'' if i else 'kept '}v{100 * n / total:.0f}", title=f"{name}: {n:,}")
        for i, (name, n) in enumerate(pieces)
        if n
    ]
    yield tag("div", *flow, class_="flow")
    if heldout:
        yield tag("p", f"{count(heldout, 'question')} were put aside for the benchmark of the recipe's own questions.")
    unlisted = total - kept - heldout - sum(dropped.values())
    if unlisted > 0:
        yield tag("p", f"Another {count(unlisted, 'question')} were left out to keep to the recipe's limit.", class_="note")
    if dropped:
        widest = max(dropped.values()) / total if total else 0.0
        rows = [[_cell(name), _filled(n, total, widest), _cell(share(n, total))] for name, n in dropped.items()]
        yield _table("Why questions were dropped", [("dropped because", None), ("questions", "n"), ("share", None)], rows)
    yield from _contamination(collected.get("contamination", []))
    if sources := collected.get("sources"):
        rows = [[_cell(one["source"]), _cell(labelled(one["licence"])), _cell(one["questions"])] for one in sources]
        yield tag("h3", "Sources")
        yield _table("Sources", [("source", None), ("licence", None), ("questions kept", "n")], rows)


def _contamination(found: Sequence[Json]) -> Iterator[Html]:
    yield tag("h3", "Training never saw the evaluation data")
    searched = (
        "Every collected question and passage was compared with all texts of all benchmarks, in every language: equal texts, "
        "long runs of equal words and, unless the recipe turns that off, articles of the same title. "
    )
    if not found:
        yield tag("p", searched, "Nothing was found.")
        return
    yield tag("p", searched, "What was found is not trained on:")
    rows = [[_cell(one["against"]), _cell(one["reason"]), _cell(one["len"])] for one in found]
    heads: list[Head] = [("benchmark", None), ("found", None), ("questions removed", "n")]
    yield _table("What training shared with benchmarks", heads, rows)


def _filtered(filtered: Sequence[Json], source: str | None) -> Iterator[Html]:
    rules = list(dict.fromkeys(rule for summary in filtered for rule in summary["dropped"]))
    shares = [summary["dropped"].get(rule, 0) / summary["pairs"] for summary in filtered for rule in rules if summary["pairs"]]
    widest = max(shares, default=0.0)
    pairs, kept = (sum(summary[key] for summary in filtered) for key in ("pairs", "kept"))
    yield tag("h3", "Translated pairs, filtered")
    yield tag(
        "p",
        f"{count(len(filtered), 'target language')}, {count(pairs, 'translated pair')}, of which {kept:,} ({share(kept, pairs)}) "
        "passed every rule. The columns on the right count the pairs that break each rule; a pair may break several.",
    )
    rows = [
        [
            tag("td", named_language(one["lang"]), class_="lang"),
            _cell(one["pairs"]),
            _filled(one["kept"], one["pairs"], 1.0),
            _cell(share(one["kept"], one["pairs"])),
            *(_filled(one["dropped"].get(rule, 0), one["pairs"], widest) for rule in rules),
        ]
        for one in filtered
    ]
    heads: list[Head] = [("language", None), ("pairs", "n"), ("kept", "n"), ("share", None)]
    heads += [(reasons().get(rule, rule), "n") for rule in rules]
    yield _table("What the filter kept of every language", heads, rows, "compact full sort")
    yield from (_judged(one, source) for one in filtered if one.get("scores"))


def _judged(one: Json, source: str | None) -> Html:
    """For one language, the scores that each rule judges, with its threshold, and a few of the texts it drops."""
    parts: list[Html] = []
    dropped: list[Html] = []
    for rule, spread in one["scores"].items():
        limit = spread["threshold"]
        words = "off" if limit is None else f"threshold {limit:g}, dropped {one['dropped'].get(rule, 0):,}"
        title = tag("figcaption", f"{rule}: {words}")
        drawn = histogram(spread["edges"], spread["counts"], limit, f"Scores of the rule {rule}, {words}")
        examples = [
            [
                tag("td", example["source"], lang=source, dir="auto"),
                tag("td", example["target"], lang=one["lang"], dir="auto"),
                tag("td", fraction(example["score"]), class_="n"),
            ]
            for example in one["examples"].get(rule, ())
        ]
        heads: list[Head] = [("source", None), ("translation", None), ("score", "n")]
        parts.append(tag("figure", title, drawn))
        if examples:
            told = tag("summary", f"{rule}: dropped texts, the first {len(examples)} by their ids")
            said = f"{named_language(one['lang'])}: texts that the rule {rule} drops"
            dropped.append(tag("details", told, _table(said, heads, examples, "examples")))
    summary = tag("summary", f"{named_language(one['lang'])}: scores, thresholds, examples of what was dropped")
    return tag("details", summary, tag("div", *parts, class_="facets scores"), *dropped, data_lang=one["lang"])


def _planted(filtered: Sequence[Json]) -> Iterator[Html]:
    kinds = sorted({kind for one in filtered for kind in one["planted"].get("recall_by_defect", {})})

    def cell(value: float | None) -> Html:
        return tag("td", fraction(value, 2), class_="n" if value is None else f"n fill v{100 * value:.0f}")

    yield tag("h3", "How good is the filter?")
    yield tag(
        "p",
        "This recipe's translations hold defects that were planted on purpose. Recall is the share of spoilt pairs that the "
        "filter dropped, precision the share of dropped pairs that were spoilt. Precision counts against the filter what it "
        "drops for other good reasons too, such as text shared with a benchmark.",
    )
    rows = [
        [
            tag("td", named_language(one["lang"]), class_="lang"),
            _cell(one["planted"]["pairs"]),
            cell(one["planted"].get("precision")),
            cell(one["planted"].get("recall")),
            *(cell(one["planted"].get("recall_by_defect", {}).get(kind)) for kind in kinds),
        ]
        for one in filtered
    ]
    heads: list[Head] = [("language", None), ("spoilt pairs", "n"), ("precision", "n"), ("recall", "n")]
    heads += [(f"recall: {kind.replace('_', ' ')}", "n") for kind in kinds]
    yield _table("Planted defects that the filter found", heads, rows, "compact sort")


def training(view: View, models: Sequence[Json], logs: Sequence[Sequence[Json]]) -> Html | None:
    """Loss over steps, one chart per strategy; the charts of a backbone share their axes."""
    runs = [(model, log) for model, log in zip(models, logs, strict=True) if log]
    kinds = [kind for kind in KINDS if any(line["type"] == kind for _, log in runs for line in log)]
    parts: list[Html] = []
    if runs:
        keys = [tag("span", dashes(kind), KINDS[kind][0]) for kind in kinds]
        note = (
            "Thin lines are seeds, smoothed. Losses of different strategies are not comparable: a passage is told apart from the "
            "other passages of its batch, and how hard that is depends on their languages."
        )
        parts = [tag("p", note, class_="note"), tag("div", *keys, class_="keys")]
    for backbone in view.backbones:
        own = [(model, log) for model, log in runs if model["backbone"] == backbone]
        if own:
            drawn = [tag("h3", f"backbone {backbone}"), tag("div", *_facets(view, own), class_="facets")]
            parts.append(tag("div", *drawn, data_backbone=backbone))
    if measured := [model for model in models if "mono" in model.get("validated", {})]:  # no other loss, as mlm's, compares
        parts += _validated(view, measured)
    manifests = [_parameters(backbone, [one for one in models if one["backbone"] == backbone]) for backbone in view.backbones]
    return join([*parts, *(one for one in manifests if one)]) or None


def _facets(view: View, runs: Sequence[tuple[Json, Sequence[Json]]]) -> Iterator[Html]:
    lines: dict[str, list[Line]] = {}
    for model, log in runs:
        for kind in dict.fromkeys(line["type"] for line in log):
            points = smooth([(line["step"], line["loss"]) for line in log if line["type"] == kind])
            text = f"seed {model['seed']}, {KINDS[kind][0] if kind in KINDS else kind}: at the end {points[-1][1]:.2f}"
            lines.setdefault(model["strategy"], []).append(Line(points, kind, text))
    shown = [point for own in lines.values() for line in own for point in line.points]
    last = max(line["step"] for _, log in runs for line in log)
    across, up = Scale(0.0, float(last), float(last)), Scale.over([loss for _, loss in shown], zero=True)
    for name in view.strategies:
        if name in lines:
            drawn = curves(lines[name], across, up, f"Loss of {name} over {last:,} steps")
            coloured = tag("span", drawn, class_=view.colour(name))
            yield tag("figure", tag("figcaption", view.label(name)), coloured, data_strategy=name)


def _validated(view: View, models: Sequence[Json]) -> Iterator[Html]:
    """The validation loss of every strategy, averaged over seeds; the lowest of a backbone is marked."""
    yield tag("h3", "validation loss")
    yield tag(
        "p",
        "The loss on questions that no model was trained on, the same for every model of a backbone. Mono and cross are means "
        "over pairs of one and of two languages; the last column is the mean of the two. The lowest one says which α to take.",
        class_="note",
    )
    means: dict[tuple[str, str], dict[str, float]] = {}
    for backbone in view.backbones:
        for name in view.strategies:
            own = [m["validated"] for m in models if (m["backbone"], m["strategy"]) == (backbone, name)]
            if own:
                kinds = [kind for kind in ("mono", "cross", "loss") if all(kind in one for one in own)]
                means[backbone, name] = {kind: sum(one[kind] for one in own) / len(own) for kind in kinds}
    lowest = {backbone: min(mean["loss"] for (b, _), mean in means.items() if b == backbone) for backbone, _ in means}
    rows = []
    for (backbone, name), mean in means.items():
        text = f"{mean['loss']:.3f}"
        best = tag("b", text) if mean["loss"] == lowest[backbone] else text
        losses = [f"{mean[kind]:.3f}" if kind in mean else "" for kind in ("mono", "cross")]
        rows.append([_cell(backbone), tag("td", view.label(name)), *(_cell(loss) for loss in losses), tag("td", best)])
    heads: list[Head] = [("backbone", None), ("strategy", None), ("mono", "n"), ("cross", "n"), ("mean", "n")]
    yield _table("Validation loss", heads, rows, "compact sort")


def smooth(points: Sequence[Point]) -> list[Point]:
    """At most `BINS` points: means of bins of the steps, each averaged with its neighbours."""
    size = (points[-1][0] - points[0][0]) / BINS or 1.0
    bins: dict[int, list[Point]] = {}
    for point in points:
        bins.setdefault(int((point[0] - points[0][0]) / size), []).append(point)
    means = [(sum(x for x, _ in own) / len(own), sum(y for _, y in own) / len(own)) for own in bins.values()]
    reach = [min(WINDOW, i, len(means) - 1 - i) for i in range(len(means))]  # the same to both sides: the ends stay
    near = [means[i - r : i + r + 1] for i, r in enumerate(reach)]
    return [(x, sum(y for _, y in own) / len(own)) for (x, _), own in zip(means, near, strict=True)]


def _parameters(backbone: str, models: Sequence[Json]) -> Html | None:
    """How the models of a backbone were made, from the first one's manifest."""
    first = next((model for model in models if model["strategy"] != "untrained"), models[0] if models else {})
    facts = {"kind": first.get("kind"), "questions": first.get("questions")}
    for part in ("architecture", "optimisation"):
        facts |= {key.replace("_", " "): value for key, value in first.get(part, {}).items()}
    words = [f"{key} {value}" for key, value in facts.items() if value is not None]
    languages = [named_language(lang) for lang in first.get("languages", [])]
    if not words:
        return None
    known = tag("p", f"Training pairs in {listing(languages)}.") if languages else None
    return tag("details", tag("summary", f"Parameters of {backbone}"), tag("p", ", ".join(words) + "."), known)


def indexes(found: Mapping[str, Json]) -> Html | None:
    """The FAISS indexes."""
    rows = []
    for key, one in found.items():
        model, _, benchmark = key.rpartition("/")
        size = f"{one['bytes'] / 2**20:,.1f} MiB"
        cells = [_cell(model), _cell(benchmark), _cell(one["kind"]), _cell(one["vectors"]), _cell(one["dim"])]
        rows.append([*cells, tag("td", size, class_="n"), tag("td", fraction(one.get("recall@10")), class_="n")])
    if not rows:
        return None
    note = tag("p", "Recall@10 is the share of the ten nearest passages, by exact search, that the index finds.", class_="note")
    heads: list[Head] = [
        ("model", None),
        ("benchmark", None),
        ("kind", None),
        ("vectors", "n"),
        ("dimensions", "n"),
        ("size", "n"),
    ]
    return join([_table("Indexes", [*heads, ("recall@10", "n")], rows), note])


OPERATIONS = 6  # of a transformer's training, for each parameter and token (arXiv 2001.08361, section 2.1)


def cost(view: View, models: Sequence[Json], logs: Sequence[Sequence[Json]], filtered: Sequence[Json]) -> Html | None:
    """What the experiment took, counted: the page is the same for the same results, and times never are."""
    rows = []
    for backbone in view.backbones:
        for name in view.strategies:
            own = [(m, log) for m, log in zip(models, logs, strict=True) if (m["backbone"], m["strategy"]) == (backbone, name)]
            spent = [_spent(model, log) for model, log in own if log]
            if spent:
                steps, texts, tokens, operations = (sum(column) / len(spent) for column in zip(*spent, strict=True))
                shown = [f"{len(spent)}", f"{steps:,.0f}", f"{texts:,.0f}", f"{tokens / 1e6:,.1f}"]
                shown.append(f"{operations:.1e}" if operations else DASH)
                cells = [tag("td", text, class_="n") for text in shown]
                rows.append(tag("tr", tag("td", backbone), tag("td", view.label(name)), *cells,
                                data_backbone=backbone, data_strategy=name))  # fmt: skip
    if not rows:
        return None
    judged = [view.pairs.filter(benchmark=name, metric=view.metric(name)) for name in view.benchmarks]
    queries = sum(int(pairs["n_queries"].sum()) for pairs in judged)
    counts = [
        (sum(one["pairs"] for one in filtered), "translated pairs filtered"),
        (sum(len(log) > 0 for log in logs), "models trained"),
        (queries, "rankings evaluated, over models, languages and settings"),
    ]
    tiles = tag("div", *(tag("div", tag("b", f"{n:,}"), tag("span", text)) for n, text in counts if n), class_="tiles")
    note = tag(
        "p",
        "The means of one seed's training. Tokens are those of the logged steps, extrapolated; operations are 6 for each "
        "parameter of the layers and token, of transformers whose shape the recipe gives. These are counts, not hours: measured "
        "times differ from run to run, and the same results give the same page. ",
        tag("code", "koine plan"),
        " reckons hours from such counts; ",
        tag("code", "snakemake --report"),
        " has the times of a run.",
        class_="note",
    )
    heads = [tag("th", text, scope="col") for text in ("backbone", "strategy")]
    counted = ("seeds", "steps", "pairs seen", "million tokens", "operations")
    heads += [tag("th", text, class_="n", scope="col") for text in counted]
    said = caption("What training took, by strategy")
    table = tag("table", said, tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="compact sort")
    return join([tiles, tag("div", table, class_="wide"), note])


def _spent(model: Json, log: Sequence[Json]) -> tuple[float, float, float, float]:
    """Steps, pairs (or texts), tokens and operations of one training."""
    lines = [line for line in log if line["type"] != "validation"]
    seen = len({line["step"] for line in lines})
    steps = max(line["step"] for line in lines) + 1
    batches = steps * len(lines) / seen  # gradient mixing takes two a step
    tokens = steps * sum(line.get("tokens", 0) for line in lines) / seen
    shape = model.get("architecture", {})
    layers = 12 * shape.get("num_hidden_layers", 0) * shape.get("hidden_size", 0) ** 2
    return steps, batches * model["optimisation"]["batch_size"], tokens, OPERATIONS * layers * tokens
