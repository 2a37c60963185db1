"""`koine collect-sample`: a small parallel QA corpus, made without a network from the facts in Unicode CLDR.

Its facts are in `cldr`, what is said about them in `wording`, what is spoilt on purpose in `defects`.

Every entity has several attributes, and some cells lie in the pool without ever being asked: near misses that a bag of words
mixes up. On such data the pattern of the paper (monolingual batches do not align languages, cross-lingual ones do) follows from
how the data is made. The sample checks the code; it is no evidence for the paper.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from koine.collect.cldr import Cell, facts
from koine.collect.defects import plant
from koine.collect.formats.beir import BEIR
from koine.collect.wording import LANGUAGES, Item, by_hand, knows_unknowns, of_names, render
from koine.params import Sample
from koine.runtime.errors import KoineError
from koine.runtime.files import write_jsonl, write_text

Split = Literal["train", "eval", "distractor"]


def sample_files(languages: Sequence[str]) -> list[str]:
    """The relative paths that `collect_sample` writes."""
    return [
        *("qa.jsonl", "memory.jsonl", "reverse.jsonl", "defects.jsonl"),
        *(f"beir/{lang}/{name}" for lang in languages for name in BEIR.values()),
    ]


def collect_sample(out: Path, *, sample: Sample = Sample()) -> None:
    """Make the embedded sample: a parallel QA corpus from CLDR facts, in ten languages or up to 115, with a benchmark.

    The same seed gives the same bytes. The files are in the formats that a user would bring: `qa.jsonl` is the English training
    set, `memory.jsonl` its translation memory (a share of the questions and passages is spoilt on purpose), `reverse.jsonl` the
    memory of the way back, `defects.jsonl` the truth about the spoilt rows, and `beir/` the evaluation pool in every language.

    Args:
        out: Folder for the files.
        sample: languages, seed and share of defects.

    Raises:
        KoineError: English is missing, or CLDR does not know enough of a language.
    """
    languages, seed = sample.languages, sample.seed
    written_by_hand = set(languages) <= set(LANGUAGES)
    named = LANGUAGES if written_by_hand else tuple(languages)
    if "en" not in languages or (unfit := [lang for lang in named if not knows_unknowns(lang)]):
        raise KoineError(
            "collect.sample.languages: "
            + (f"CLDR names too little in {unfit[0]!r}; take it out" if "en" in languages else "English (en) is missing")
        )
    templates = by_hand() if written_by_hand else of_names(named)
    cells = facts(named, frozenset(templates))
    splits = split(cells, seed)
    items = render(cells, templates, named, seed)
    train = [item for item in items if splits[item.cell.id] == "train"]
    pool = [item for item in items if splits[item.cell.id] != "train"]

    write_jsonl(out / "qa.jsonl", map(_qa, train))
    memory = plant(train, [lang for lang in languages if lang != "en"], seed, sample.defect_rate)
    write_jsonl(out / "memory.jsonl", (_pair("en", row.lang, row.source, row.target) for row in memory))
    backs: dict[tuple[str, str], str] = {}
    for row in memory:
        backs.setdefault((row.lang, row.target), row.back)
    write_jsonl(out / "reverse.jsonl", (_pair(lang, "en", text, back) for (lang, text), back in backs.items()))
    write_jsonl(
        out / "defects.jsonl",
        ({"lang": row.lang, "source": row.source, "target": row.target, "defect": row.defect} for row in memory if row.defect),
    )

    asked = [item for item in pool if splits[item.cell.id] == "eval"]
    for lang in languages:
        beir = out / "beir" / lang
        write_jsonl(
            beir / BEIR["corpus"],
            ({"_id": item.cell.id, "title": "", "text": item.passage[lang]} for item in pool),
        )
        write_jsonl(
            beir / BEIR["queries"],
            ({"_id": f"{item.cell.id}-q", "text": item.question[lang]} for item in asked),
        )
        judged = "".join(f"{item.cell.id}-q\t{item.cell.id}\t1\n" for item in asked)
        write_text(beir / BEIR["qrels"], "query-id\tcorpus-id\tscore\n" + judged)


def split(cells: Sequence[Cell], seed: int) -> dict[str, Split]:
    """Deal the cells out: about 70 % train, 15 % eval, 15 % distractor.

    An eval cell whose entity or attribute no train cell has goes to train instead, so that what is asked is
    new but what it is asked about is not.
    """
    drawn: dict[str, Split] = {}
    for cell in cells:
        share = random.Random(f"{seed}/split/{cell.id}").random()
        drawn[cell.id] = "train" if share < 0.7 else "eval" if share < 0.85 else "distractor"
    seen = {part for cell in cells if drawn[cell.id] == "train" for part in (cell.group, cell.template)}
    for cell in cells:
        if drawn[cell.id] == "eval" and not {cell.group, cell.template} <= seen:
            drawn[cell.id] = "train"
            seen |= {cell.group, cell.template}
    return drawn


def _qa(item: Item) -> dict[str, str]:
    cell = item.cell
    return {
        "id": cell.id,
        "group": cell.group,
        "domain": cell.kind,
        "question": item.question["en"],
        "passage": item.passage["en"],
        "answer": cell.value["en"],
    }


def _pair(source_lang: str, target_lang: str, source: str, target: str) -> dict[str, str]:
    return {"source_lang": source_lang, "target_lang": target_lang, "source": source, "target": target}
