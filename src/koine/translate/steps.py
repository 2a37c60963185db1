"""The command of the translate step: one shard of one language."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import polars as pl

from koine.params import Decoding
from koine.records import TRANSLATION, read_collected
from koine.runtime.console import progress, say
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id
from koine.runtime.resume import Journal
from koine.text.sentences import Span, join, pieces
from koine.translate.apertium import Apertium
from koine.translate.lexicon import Lexicon
from koine.translate.memory import Memory
from koine.translate.released import Released

CHUNK = 2048  # pieces translated between two lines of the journal; sorted by length, so that a batch has little padding


class Lookup(Protocol):
    """What is already translated: whole texts are looked up."""

    def __len__(self) -> int:
        """How much it knows (entries); 0 means that it cannot serve this direction."""

    def translate(self, texts: Sequence[str]) -> list[str | None]:
        """One translation per text, or None."""


class Engine(Protocol):
    """What translates anything, sentence by sentence."""

    def translate(self, texts: Sequence[str]) -> list[str]:
        """One translation per piece of text; the same pieces in the same order give the same translations."""

    @property
    def version(self) -> str:
        """Whatever its results depend on: a journal of another version is not gone on with."""

    @property
    def tokens(self) -> int:
        """How many tokens it has read so far, for the progress bar; 0 of an engine without tokens."""


LOOKUPS = ("memory", "lexicon", "released")


@dataclass(frozen=True)
class Hardware:
    """What changes only speed: see `params.Execution`."""

    device: str = "cpu"
    batch_tokens: int = 4096
    threads: int = 1


def translate(
    qa: Path, out: Path, *, source: str, target: str, backend: str, resources: Sequence[Path] = (), reverse: Sequence[Path] = (),
    round_trip: bool = False, decoding: Decoding | None = None, converted: Path | None = None,
    converted_back: Path | None = None, heldout: Path | None = None, hardware: Hardware = Hardware(), shard: int = 0,
    shards: int = 1,
) -> None:  # fmt: skip
    """Translate the distinct texts (questions, passages, answers, negatives) whose id falls into one shard.

    Args:
        qa: QA rows of the collect step.
        out: translations (`records.TRANSLATION`), sorted by text id; `target` is null where there is none. A journal
            beside it holds what is done, and a killed job goes on from there.
        source, target: languages (BCP 47).
        backend: one of `params.Translate.backend`.
        resources: files of the looked-up backends; of an engine, memories that are looked up before it is asked.
        reverse: memories from `target` to `source`; they fill `back`.
        round_trip: let the engine translate its translations back; fills `back` too.
        decoding: model and decoding settings of the neural backends.
        converted, converted_back: folders of `convert`, for `ctranslate2`.
        heldout: held-out rows, translated too.
        hardware: where and how fast.
        shard, shards: this shard's number from 0, and how many there are.

    Raises:
        KoineError: the resources hold nothing for this direction, or the engine does not know it.
    """
    rows = read_collected(qa, heldout)
    distinct = {text for column in ("question", "passage", "answer") for text in rows[column].drop_nulls()}
    distinct |= set(rows["negatives"].explode().drop_nulls())
    chosen = {text_id(text): text for text in distinct}
    ids = sorted(name for name in chosen if int(name, 16) % shards == shard)
    texts = [chosen[name] for name in ids]
    targets: list[str | None]
    spans: list[list[int] | None] = [None] * len(texts)
    back: list[str | None] = [None] * len(texts)
    if backend in LOOKUPS:
        known = _lookup(backend, resources, source, target, rows)
        targets = [text for chunk in progress(_chunks(texts), f"{source}-{target}") for text in known.translate(chunk)]
    else:
        make = partial(_engine, backend, decoding=decoding or Decoding(), hardware=hardware)
        targets = list(Memory(resources, source, target).translate(texts))
        rest = [number for number, text in enumerate(targets) if text is None]
        asked = [texts[number] for number in rest]
        forth = _sentence_wise(make(source, target, converted=converted), asked, [pieces(text) for text in asked], target, out)
        cut: list[list[Span]] = [pieces(text or "") for text in targets]
        for number, (text, there) in zip(rest, forth, strict=True):
            targets[number], cut[number] = text or None, there
            pairs = zip(pieces(texts[number]), there, strict=True)
            spans[number] = [number for pair in pairs for span in pair for number in span]
        if round_trip:
            engine = make(target, source, converted=converted_back)
            done = _sentence_wise(engine, [text or "" for text in targets], cut, source, out, ".back")
            back = [text or None for text, _ in done]
    if reverse:
        memory = Memory(reverse, target, source)
        back = [memory.translate([text])[0] if text is not None else None for text in targets]
    columns = {"text_id": ids, "source": texts, "target": targets, "back": back, "spans": spans}
    TRANSLATION.write(TRANSLATION.frame(columns), out)
    for way in ("", ".back"):
        _journal(out, way).unlink(missing_ok=True)
    found = sum(text is not None for text in targets)
    say(f"{source}-{target}: {found:,} of {len(texts):,} texts translated, {sum(b is not None for b in back):,} back")


def _lookup(backend: str, resources: Sequence[Path], source: str, target: str, rows: pl.DataFrame) -> Lookup:
    if backend == "released":
        return Released(resources, rows)
    make: dict[str, Callable[[Sequence[Path], str, str], Lookup]] = {"memory": Memory, "lexicon": Lexicon}
    known = make[backend](resources, source, target)
    if not len(known):
        names = ", ".join(map(str, resources)) or "no files"
        raise KoineError(f"translate.resources: {names} hold nothing from {source} to {target}")
    return known


def _engine(backend: str, source: str, target: str, *, decoding: Decoding, converted: Path | None, hardware: Hardware) -> Engine:
    if backend == "apertium":
        return Apertium(source, target)
    from koine.translate import neural  # torch and transformers take seconds to import

    if backend == "ctranslate2":
        return neural.Ctranslate2(converted, source, target, decoding, hardware)
    return neural.Generate(source, target, decoding, hardware)


def _sentence_wise(
    engine: Engine, texts: Sequence[str], cut: Sequence[Sequence[Span]], lang: str, out: Path, way: str = ""
) -> list[tuple[str, list[Span]]]:
    """Translate the pieces of all texts, each distinct one once, and join them again.

    Args:
        engine: translates pieces.
        texts, cut: the texts and the pieces of each.
        lang: language of the translations.
        out, way: name the journal.

    Returns:
        For each text its translation, and where each piece's translation stands in it.
    """
    wanted = [[text[start:end] for start, end in spans] for text, spans in zip(texts, cut, strict=True)]
    # Longest first: a batch holds pieces of one length, and what is left goes ever faster.
    todo = sorted({piece for own in wanted for piece in own if piece.strip()}, key=lambda piece: (-len(piece), piece))
    known = dict(zip(todo, _resumed(engine, todo, _journal(out, way)), strict=True))
    return [
        join(text, spans, [known.get(piece, "") for piece in own], lang)
        for text, spans, own in zip(texts, cut, wanted, strict=True)
    ]


def _resumed(engine: Engine, todo: Sequence[str], path: Path) -> Iterator[str]:
    """Translations of the pieces in order; finished chunks are read from the journal, and new ones added to it."""
    journal = Journal(path, json.dumps({"version": engine.version, "chunk": CHUNK, "pieces": text_id("\0".join(todo))}))
    for line in journal.lines:
        yield from json.loads(line)
    done, chunks = len(journal.lines), _chunks(todo)
    if done:
        say(f"{done} of {len(chunks)} chunks were done before")
    rest = chunks[done:]
    start = time.monotonic()

    def tokens() -> str:
        return f", {engine.tokens / (time.monotonic() - start):,.0f} tokens/s" if engine.tokens else ""

    for asked in progress(rest, "pieces", sum(map(len, rest)), weight=len, note=tokens):
        translated = engine.translate(asked)
        journal.add(json.dumps(translated))
        yield from translated


def _journal(out: Path, way: str) -> Path:
    return out.with_name(f".{out.stem}{way}.journal")


def _chunks(items: Sequence[str]) -> list[Sequence[str]]:
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
