"""The command of the translate step: one shard of one language."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from koine.records import QA, TRANSLATION
from koine.runtime.console import progress, say
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id
from koine.translate.lexicon import Lexicon
from koine.translate.memory import Memory

CHUNK = 1024  # texts between two movements of the progress bar


class Backend(Protocol):
    """Anything that translates in one direction."""

    def __len__(self) -> int:
        """How much it knows (entries); 0 means that it cannot serve this direction."""

    def translate(self, texts: Sequence[str]) -> list[str | None]:
        """One translation per text, or None."""


BACKENDS: dict[str, Callable[[Sequence[Path], str, str], Backend]] = {"memory": Memory, "lexicon": Lexicon}


def translate(
    qa: Path, out: Path, *, source: str, target: str, backend: str, resources: Sequence[Path], reverse: Sequence[Path],
    shard: int, shards: int,
) -> None:  # fmt: skip
    """Translate the distinct texts (questions, passages, answers) whose id falls into one shard.

    Args:
        qa: QA rows of the collect step.
        out: translations (`records.TRANSLATION`), sorted by text id; `target` is null where there is none.
        source, target: languages (BCP 47).
        backend: a key of `BACKENDS`.
        resources: its files.
        reverse: memories from `target` to `source`; they fill `back`.
        shard, shards: this shard's number from 0, and how many there are.

    Raises:
        KoineError: the resources hold nothing for this direction.
    """
    engine = BACKENDS[backend](resources, source, target)
    if not len(engine):
        names = ", ".join(map(str, resources)) or "no files"
        raise KoineError(f"translate.resources: {names} hold nothing from {source} to {target}")
    rows = QA.read(qa)
    distinct = {text for column in ("question", "passage", "answer") for text in rows[column].drop_nulls()}
    chosen = {text_id(text): text for text in distinct}
    ids = sorted(name for name in chosen if int(name, 16) % shards == shard)
    texts = [chosen[name] for name in ids]

    chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    targets = [text for chunk in progress(chunks, f"{source}-{target}") for text in engine.translate(chunk)]
    back: list[str | None] = [None] * len(texts)
    if reverse:
        memory = Memory(reverse, target, source)
        back = [memory.translate([text])[0] if text is not None else None for text in targets]
    TRANSLATION.write(TRANSLATION.frame({"text_id": ids, "source": texts, "target": targets, "back": back}), out)
    found = sum(text is not None for text in targets)
    say(f"{source}-{target}: {found:,} of {len(texts):,} texts translated, {sum(b is not None for b in back):,} back")
