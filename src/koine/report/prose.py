"""The page's summary: a paragraph for every benchmark and backbone, in words that the numbers carry."""

from koine.metrics import MAIN
from koine.params import BM25, SETTINGS
from koine.report.markup import Html, join, listing, tag
from koine.report.view import MAIN_STRATEGIES, View, value_text, whole
from koine.strategies import STRATEGIES

SUMMED = 2  # paragraphs of the summary; more are collapsed, so that the verdicts stay in sight
NAMED = 3  # strategies that a sentence lists; of more it says how many


def summary(view: View) -> list[Html]:
    """A paragraph for every benchmark and backbone."""
    mains = [name for name in view.benchmarks if name == whole(name)]
    places = [(benchmark, backbone) for benchmark in mains for backbone in view.models(benchmark) if backbone != BM25]
    where = len(places) > 1
    paragraphs = [one for benchmark, backbone in places if (one := _paragraph(view, benchmark, backbone, where))]
    if not paragraphs:
        return [tag("p", "There are no results to sum up.", class_="lead")]
    shown, collapsed = paragraphs[:SUMMED], paragraphs[SUMMED:]
    return [*shown, *([tag("details", tag("summary", f"{len(collapsed)} more"), *collapsed)] if collapsed else [])]


def _spoken(strategy: str) -> str:
    """How a sentence calls training with a strategy."""
    known = STRATEGIES.get(strategy)
    if known is None:
        return f"with {strategy}"
    if known.languages == "none":
        return "without training"
    words, colon, _ = known.words.partition(":")
    return f"with {words} ({strategy})" if colon else f"with {strategy} batches"


def _paragraph(view: View, benchmark: str, backbone: str, where: bool) -> Html | None:
    """What the reference does on one benchmark, beside the main strategy without cross-lingual batches that comes last."""
    there = view.models(benchmark)[backbone]
    references = [name for name in there if view.reference in (name, name.partition("@")[0])]
    own = (references or there)[0]
    usual = reversed([name for name in MAIN_STRATEGIES if not STRATEGIES[name].crosses])
    rival = next((name for name in usual if name in there and name != own), None)

    def pair(setting: str, metric: str) -> tuple[str, str | None] | None:
        mine = view.get(benchmark, backbone, own, setting, metric)
        theirs = view.get(benchmark, backbone, rival, setting, metric) if rival else None
        if mine is None:
            return None
        return value_text(metric, mine.mean, 2), value_text(metric, theirs.mean, 2) if theirs else None

    sentences: list[Html] = []
    if cross := pair("cross", "map"):
        other = join(["; ", _spoken(rival), " it does so with ", tag("b", cross[1])]) if rival and cross[1] else None
        opening = f"{_spoken(own)[0].upper()}{_spoken(own)[1:]}, a question finds its passage in "
        sentences.append(join([opening, tag("em", "another"), " language with mAP ", tag("b", cross[0]), other, "."]))
    for before, values, after in (
        ("In its own language mAP is ", pair("mono", "map"), "."),
        ("Among the passages of all languages at once it is ", pair("multi", "map"), "."),
        ("There, its first and its last right passage are ranked ", pair("multi", "rank_distance"), " places apart."),
    ):
        if values:
            against = join([" against ", tag("b", values[1])]) if values[1] else None
            sentences.append(join([before, tag("b", values[0]), against, after]))
    if best := winners(view, benchmark, backbone):
        sentences.append(join([f"Highest {MAIN[view.metric(benchmark)]} of all: ", "; ".join(best), "."]))
    if not sentences:
        return None
    place = tag("b", f"{benchmark}, {backbone}. ") if where else None
    return tag("p", place, join(sentences, " "), class_="lead many" if where else "lead")


def winners(view: View, benchmark: str, backbone: str) -> list[str]:
    """Who is best in which settings, by the main metric, as `x-y in cross (its interval overlaps that of hybrid)`."""
    where: dict[tuple[str, str], list[str]] = {}
    metric = view.metric(benchmark)
    for setting in SETTINGS:
        results = {name: one for name in view.strategies if (one := view.get(benchmark, backbone, name, setting, metric))}
        best = view.best(benchmark, backbone, setting, metric)
        if best is None or len(results) < 2:
            continue
        first = next(name for name, one in results.items() if one is best)
        close = [name for name, one in results.items() if name != first and one.overlaps(best)]
        others = f"that of {listing(close)}" if len(close) <= NAMED else f"those of {len(close)} others"
        overlap = f" (its interval overlaps {others})" if close else ""
        where.setdefault((first, overlap), []).append(setting)
    return [f"{first} in {listing(settings)}{overlap}" for (first, overlap), settings in where.items()]
