"""The `released` backend: translations that others published are imported, aligned by the ids of their questions.

XTREME's translate-train for SQuAD, MLQA's and the Finnish SQuAD's training sets, mMARCO: the file holds
the same questions in another language under the same ids.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from koine.collect.formats import beir, jsonl, squad, triples
from koine.collect.readers import Record
from koine.runtime.errors import KoineError


class Released:
    """The published translation of a set of questions.

    Args:
        files: in the target language: SQuAD JSON, JSONL (`id,question,passage`, optional `answer,negatives`), or folders of
            BEIR or of mMARCO's triples.
        source, target: languages (BCP 47); not needed.
        rows: the collected questions (`records.QA`), whose texts are looked up.

    Raises:
        KoineError: no question has the id of a collected one.
    """

    def __init__(self, files: Sequence[Path], source: str, target: str, rows: pl.DataFrame) -> None:
        self._translations: dict[str, str] = {}
        # Ids of different sources may be equal; a collected id is `source/id`.
        collected = {row["id"].split("/", 1)[1]: row for row in rows.iter_rows(named=True)}
        for path in files:
            for record in _read(path):
                row = collected.get(str(record["id"]))
                if row is None:
                    continue
                texts = [(row[field], record.get(field)) for field in ("question", "passage", "answer")]
                ours, theirs = row["negatives"] or [], record.get("negatives") or []
                if len(ours) == len(theirs):  # else some were left out, and it is not known which
                    texts += zip(ours, theirs, strict=True)
                for text, translation in texts:
                    if text and str(translation or "").strip():
                        self._translations.setdefault(text, str(translation).strip())
        if not self._translations:
            names = ", ".join(map(str, files))
            raise KoineError(f"translate.resources: {names} share no id with the collected questions, by which they are joined")

    def __len__(self) -> int:
        return len(self._translations)

    def translate(self, texts: Sequence[str]) -> list[str | None]:
        """The published translation of each text, or None."""
        return [self._translations.get(text) for text in texts]


def _read(path: Path) -> Iterator[Record]:
    """The questions of a file or folder, in the format that its name says."""
    if path.suffix == ".json":
        return squad.read_questions(path)
    if path.suffix == ".jsonl":
        return jsonl.read_questions(path, {})
    return triples.read_questions(path) if any(path.glob(triples.COLLECTION)) else beir.read_questions(path)
