"""The translate step: one shard of one language."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field

from koine import names
from koine.params import BackendName, Decoding
from koine.records import TRANSLATION, read_collected
from koine.runtime.console import progress, say
from koine.runtime.device import Device, resolve
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id
from koine.runtime.resume import Journal
from koine.text.sentences import Span, join, pieces
from koine.translate.backends import BACKENDS
from koine.translate.base import Engine, Lookup, MakeEngine, MakeLookup, Options
from koine.translate.memory import Memory

CHUNK = 2048  # pieces translated between two lines of the journal; sorted by length, so that a batch has little padding
Count = Annotated[int, Field(ge=1)]


def translate(
    qa: Path, out: Path, *, target: str, backend: BackendName, source: str = "en", resources: Sequence[Path] = (),
    reverse: Sequence[Path] = (), round_trip: bool = False, decoding: Decoding = Decoding(), converted: Path | None = None,
    converted_back: Path | None = None, heldout: Path | None = None, shard: Annotated[int, Field(ge=0)] = 0, shards: Count = 1,
    device: Device = "auto", threads: Count = 1, batch_tokens: Count = 4096,
) -> None:  # fmt: skip
    """Translate the distinct texts of the collected pairs into one language, each once.

    The texts are the questions, passages, answers and negatives whose id falls into one shard. A journal beside the output
    holds what is done, and a killed job resumes there.

    Args:
        qa: Questions of `koine collect`.
        out: Where the translations go, sorted by text id; null where there is none.
        target: Language to translate into (BCP 47).
        source: Language of the questions (BCP 47).
        resources: Memories, releases or dictionaries; an engine looks memories up first.
        reverse: Memories back into the source language.
        round_trip: Let the engine translate back, too.
        converted: Folder of translate-convert, for ctranslate2.
        converted_back: The same for the way back.
        heldout: Held-out questions of `koine collect`, translated too.
        shard: Number of this shard, from 0.
        shards: Number of shards.
        device: Where a neural engine computes.
        threads: CPU threads; changes only speed.
        batch_tokens: Tokens translated at once; changes only speed.

    Raises:
        KoineError: the resources hold nothing for this direction, or the engine does not know it; or there is no such shard.
    """
    if shard >= shards:
        raise KoineError(f"--shard {shard}: shards are counted from 0 to {shards - 1}")
    entry = names.entry_of(BACKENDS, backend, "backend")
    rows = read_collected(qa, heldout)
    distinct = {text for column in ("question", "passage", "answer") for text in rows[column].drop_nulls()}
    distinct |= set(rows["negatives"].explode().drop_nulls())
    text_of = {text_id(text): text for text in distinct}
    ids = sorted(name for name in text_of if int(name, 16) % shards == shard)
    texts = [text_of[name] for name in ids]
    targets: list[str | None]
    spans: list[list[int] | None] = [None] * len(texts)
    back: list[str | None] = [None] * len(texts)
    if entry.kind == "lookup":
        known = _lookup(names.target(entry.make), resources, source, target, rows)
        targets = [text for chunk in progress(_chunks(texts), f"{source}-{target}") for text in known.translate(chunk)]
    else:
        make: MakeEngine = names.target(entry.make)
        where = resolve(device) if entry.needs_model else "cpu"
        options = Options(decoding, converted, where, threads, batch_tokens)
        targets = list(Memory(resources, source, target).translate(texts))
        rest = [number for number, text in enumerate(targets) if text is None]
        asked = [texts[number] for number in rest]
        forth = _sentence_wise(make(source, target, options), asked, [pieces(text) for text in asked], target, out)
        cut: list[list[Span]] = [pieces(text or "") for text in targets]
        for number, (text, there) in zip(rest, forth, strict=True):
            targets[number], cut[number] = text or None, there
            pairs = zip(pieces(texts[number]), there, strict=True)
            spans[number] = [bound for pair in pairs for span in pair for bound in span]
        if round_trip:
            engine = make(target, source, replace(options, converted=converted_back))
            returned = _sentence_wise(engine, [text or "" for text in targets], cut, source, out, ".back")
            back = [text or None for text, _ in returned]
    if reverse:
        memory = Memory(reverse, target, source)
        back = [memory.translate([text])[0] if text is not None else None for text in targets]
    columns = {"text_id": ids, "source": texts, "target": targets, "back": back, "spans": spans}
    TRANSLATION.write(TRANSLATION.frame(columns), out)
    for way in ("", ".back"):
        _journal(out, way).unlink(missing_ok=True)
    found = sum(text is not None for text in targets)
    say(f"{source}-{target}: {found:,} of {len(texts):,} texts translated, {sum(b is not None for b in back):,} back")


def _lookup(make: MakeLookup, resources: Sequence[Path], source: str, target: str, rows: pl.DataFrame) -> Lookup:
    known = make(resources, source, target, rows)
    if not len(known):
        files = ", ".join(map(str, resources)) or "no files"
        raise KoineError(f"translate.resources: {files} hold nothing from {source} to {target}")
    return known


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
    todo = sorted({piece for cut_text in wanted for piece in cut_text if piece.strip()}, key=lambda piece: (-len(piece), piece))
    known = dict(zip(todo, _resumed(engine, todo, _journal(out, way)), strict=True))
    return [
        join(text, spans, [known.get(piece, "") for piece in cut_text], lang)
        for text, spans, cut_text in zip(texts, cut, wanted, strict=True)
    ]


def _resumed(engine: Engine, todo: Sequence[str], path: Path) -> Iterator[str]:
    """Translations of the pieces in order; finished chunks are read from the journal, new ones are added to it."""
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
