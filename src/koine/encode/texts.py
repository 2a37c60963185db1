"""The two commands of the encode step: a benchmark as token ids, and its vectors by one model."""

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import torch

from koine import backbones
from koine.backbones.base import Encoder, Side, TrainableEncoder, Vectors
from koine.backbones.tokenizer import Tokens, read_tokenizer, read_tokens, tokenize, write_tokens
from koine.encode.vectors import ABOUT, Partial
from koine.records import PASSAGES, QUERIES
from koine.runtime.console import progress, say
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256, write_json
from koine.runtime.hub import model_digest
from koine.runtime.resume import key
from koine.train.ranks import Ranks

SIDES: tuple[tuple[Side, str], ...] = (("query", "queries"), ("passage", "passages"))
SHARD = 16_384  # texts of one encoder call; another number gives other batches, so other last digits
_SCHEMAS = {"queries": QUERIES, "passages": PASSAGES}


def encode_tokens(tokenizer: Path, benchmark: Path, out: Path, *, prefixes: dict[Side, str], special: bool) -> None:
    """Tokenise a prepared benchmark once for all models of a backbone: on a CPU that costs more than a static encoder.

    Args:
        tokenizer: tokenizer.json of the backbone.
        benchmark: folder of `collect_benchmark`.
        out: folder; gets queries.arrow and passages.arrow, rows as in the benchmark's tables.
        prefixes: put before each query and passage.
        special: whether texts are framed by <s> and </s>.
    """
    own = read_tokenizer(tokenizer)
    made_with = sha256(tokenizer)
    for kind, name in SIDES:
        rows = _SCHEMAS[name].read(benchmark / f"{name}.parquet")
        tokens = tokenize(own, rows["text"].to_list(), prefixes[kind], special)
        write_tokens(out / f"{name}.arrow", tokens, rows.select("id", "lang", tokenizer=pl.lit(made_with)))
    say(f"{benchmark.name}: tokenised")


def encode(model: str, benchmark: Path, out: Path, *, tokens: Path | None, dtype: str, batch_size: int, device: str) -> None:
    """Encode a prepared benchmark, each language and side in shards of `SHARD` texts; no more is held in memory.

    A shard is one encoder call, in which texts of like length are batched together. So there are 2 L calls for L languages
    of no more than `SHARD` texts, and never L². Finished shards are kept: a killed run goes on behind them and ends with the
    same bytes. Processes that torchrun started share the shards.

    Args:
        model: folder or Hub id.
        benchmark: folder of `collect_benchmark`.
        out: folder; gets queries.npy and passages.npy, `[n, d]`, rows as in the benchmark's tables, and
            encode.json, which counts the calls and names the model by `model_digest`; it is written last.
        tokens: folder of `encode_tokens` for Koine's own models; None tokenises on the way.
        dtype: float32 or float16 on disk.
        batch_size, device: execution only.

    Raises:
        KoineError: the tokens are of another tokenizer than the model's, or of other texts.
    """
    ranks = Ranks.join(device)
    encoder = backbones.load(model, ranks.device)
    sides = {kind: _Side(kind, name, benchmark, tokens, Path(model)) for kind, name in SIDES}
    files = [file for side in sides.values() for file in side.files]
    made_by = model_digest(model) if ranks.first else None
    known = key([made_by, dtype, SHARD, torch.__version__], files, ("encode", "backbones")) if ranks.first else ""
    known = ranks.told(known)
    partial = {kind: Partial(out / f"{side.name}.npy", len(side.rows), dtype, known, ranks.rank) for kind, side in sides.items()}
    done = ranks.told({kind: sorted(each.done()) for kind, each in partial.items()} if ranks.first else {})
    for kind, side in sides.items():
        left = [number for number in range(len(side.shards)) if number not in done[kind]]
        if len(left) < len(side.shards):
            say(f"{side.name}: {len(side.shards) - len(left)} of {len(side.shards)} shards were done before")
        own = left[ranks.rank :: ranks.size]
        for number in progress(own, f"{side.name}: shards"):
            partial[kind].write(number, side.shards[number], side.vectors(encoder, number, batch_size))
    ranks.leave()
    if ranks.first:
        (out / ABOUT).unlink(missing_ok=True)  # a kill between the files leaves none that names another model
        for each in partial.values():
            each.finish()
        calls: Counter[str] = Counter({kind: len(side.shards) for kind, side in sides.items()})
        write_json(out / ABOUT, {"encoder_calls": calls.total(), **calls, "model": made_by})
        say(f"{benchmark.name}: {calls.total()} encoder calls")


class _Side:
    """The queries or the passages of a benchmark: their ids and languages, and shards of their texts on demand."""

    def __init__(self, kind: Side, name: str, benchmark: Path, tokens: Path | None, model: Path) -> None:
        self.kind, self.name = kind, name
        self._table = benchmark / f"{name}.parquet"
        self.rows = _SCHEMAS[name].part(self._table, ["id", "lang"])
        ids = tokens / f"{name}.arrow" if tokens else None
        self.files = [self._table, *([ids] if ids else [])]
        self._ids = _read_tokens(ids, self.rows, model / "tokenizer.json") if ids else None
        of_language = [np.flatnonzero(self.rows["lang"] == lang) for lang in self.rows["lang"].unique(maintain_order=True)]
        self.shards = [own[start : start + SHARD] for own in of_language for start in range(0, len(own), SHARD)]

    def vectors(self, encoder: Encoder, number: int, batch_size: int) -> Vectors:
        """Vectors of one shard."""
        own = self.shards[number]
        if self._ids is not None and isinstance(encoder, TrainableEncoder):
            return encoder.encode_tokens(self._ids.take(own), batch_size=batch_size)
        first, last = int(own[0]), int(own[-1])  # the texts of a language stand together, as a rule
        texts = _SCHEMAS[self.name].part(self._table, ["text"], first, last - first + 1)["text"]
        return encoder.encode(texts.gather(own - first).to_list(), self.kind, batch_size=batch_size)


def _read_tokens(path: Path, rows: pl.DataFrame, tokenizer: Path) -> Tokens:
    ids, made = read_tokens(path)
    if not tokenizer.is_file() or set(made["tokenizer"]) != {sha256(tokenizer)}:
        raise KoineError(f"{path}: not made with {tokenizer}; delete it and run again")
    if not made.select("id", "lang").equals(rows.select("id", "lang")):
        raise KoineError(f"{path}: not the texts of this benchmark; delete it and run again")
    return ids
