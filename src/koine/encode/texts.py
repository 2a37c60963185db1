"""A benchmark's vectors by one model."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch

from koine import backbones, code
from koine.backbones.base import Encoder, TrainableEncoder, Vectors
from koine.backbones.manifest import kind_of
from koine.backbones.tokenizer import Side, Tokens, read_tokens
from koine.encode.sides import SIDES
from koine.encode.vectors import ABOUT, Partial
from koine.params import Encode, Positive
from koine.runtime import resume
from koine.runtime.console import progress, say
from koine.runtime.device import Device, resolve, use_threads
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256, write_json
from koine.runtime.hub import model_digest
from koine.runtime.processes import Processes

SHARD = 16_384  # texts of one encoder call; another number gives other batches, so other last digits


def encode(
    model: str, benchmark: Path, out: Path, encoding: Encode = Encode(), tokens: Path | None = None, device: Device = "auto",
    encode_batch_size: Positive = 256,
) -> None:  # fmt: skip
    """Encode a benchmark's queries and passages, each text once; resumes where it was stopped.

    Each language and side is encoded in shards of texts; no more is held in memory. A shard is one encoder call, in which texts
    of like length are batched together. So there are 2 L calls for L languages of no more texts than a shard has, and never L².
    Finished shards are kept: a killed run resumes behind them and ends with the same bytes. Processes that torchrun started
    share the shards.

    Args:
        model: Model folder, or Hub id.
        benchmark: Folder of koine collect-benchmark.
        out: Folder; gets queries.npy and passages.npy, rows as in the benchmark's tables, and encode.json, which counts
            the encoder calls and names the model by its sha256.
        encoding: precision of the vectors.
        tokens: Folder of koine encode-tokens, for Koine's own models; without it texts are tokenised on the way.
        device: Where to encode.
        encode_batch_size: Texts encoded at once.

    Raises:
        KoineError: the tokens are of another tokenizer than the model's, or of other texts; there is no such model.
    """
    use_threads()
    processes = Processes.join(resolve(device))
    encoder = backbones.load(model, processes.device)
    sides = [_Side(side, benchmark, tokens, Path(model)) for side in SIDES]
    made_by = model_digest(model) if processes.first else None
    inputs = [made_by, encoding.dtype, SHARD, encode_batch_size, torch.device(processes.device).type, torch.__version__]
    key = processes.of_first(_key(model, inputs, sides) if processes.first else "")
    partial = [Partial(out / f"{side.name}.npy", len(side.rows), encoding.dtype, key, processes.number) for side in sides]
    done = processes.of_first([sorted(vectors.done()) for vectors in partial] if processes.first else [])
    for side, vectors, finished in zip(sides, partial, done, strict=True):
        left = [number for number in range(len(side.shards)) if number not in finished]
        if finished:
            say(f"{side.name}: {len(finished)} of {len(side.shards)} shards were done before")
        for number in progress(left[processes.number :: processes.count], f"{side.name}: shards"):
            vectors.write(number, side.shards[number], side.vectors(encoder, number, encode_batch_size))
    processes.leave()
    if processes.first:
        (out / ABOUT).unlink(missing_ok=True)  # a kill between the files leaves none that names another model
        for vectors in partial:
            vectors.finish()
        calls: Counter[str] = Counter({side.side: len(side.shards) for side in sides})
        write_json(out / ABOUT, {"encoder_calls": calls.total(), **calls, "model": made_by})
        say(f"{benchmark.name}: {calls.total()} encoder calls")


def _key(model: str, inputs: Sequence[object], sides: list["_Side"]) -> str:
    """What finished shards belong to."""
    entry = f"koine.backbones.kinds:KINDS[{kind_of(model)}]"
    files = [file for side in sides for file in side.files]
    return resume.key(inputs, files, code.digest("encode", [entry]))


class _Side:
    """The queries or the passages of a benchmark: their ids and languages, and shards of their texts on demand."""

    def __init__(self, side: Side, benchmark: Path, tokens: Path | None, model: Path) -> None:
        self.side = side
        self.name, self._schema = SIDES[side]
        self._table = benchmark / f"{self.name}.parquet"
        self.rows = self._schema.part(self._table, ["id", "lang"])
        ids = tokens / f"{self.name}.arrow" if tokens else None
        self.files = [self._table, *([ids] if ids else [])]
        self._ids = _read_tokens(ids, self.rows, model / "tokenizer.json") if ids else None
        of_language = [np.flatnonzero(self.rows["lang"] == lang) for lang in self.rows["lang"].unique(maintain_order=True)]
        self.shards = [rows[start : start + SHARD] for rows in of_language for start in range(0, len(rows), SHARD)]

    def vectors(self, encoder: Encoder, number: int, batch_size: int) -> Vectors:
        """Vectors of a shard, float32 `[m, d]`."""
        rows = self.shards[number]
        if self._ids is not None and isinstance(encoder, TrainableEncoder):
            return encoder.encode_tokens(self._ids.take(rows), batch_size=batch_size)
        first, last = int(rows[0]), int(rows[-1])  # the texts of a language stand together, as a rule
        texts = self._schema.part(self._table, ["text"], first, last - first + 1)["text"]
        return encoder.encode(texts.gather(rows - first).to_list(), self.side, batch_size=batch_size)


def _read_tokens(path: Path, rows: pl.DataFrame, tokenizer: Path) -> Tokens:
    """Tokens of the texts in `rows`, made with a model's tokenizer."""
    ids, made = read_tokens(path)
    if not tokenizer.is_file() or set(made["tokenizer"]) != {sha256(tokenizer)}:
        raise KoineError(f"{path}: not made with {tokenizer}; delete it and run again")
    if not made.select("id", "lang").equals(rows.select("id", "lang")):
        raise KoineError(f"{path}: not the texts of this benchmark; delete it and run again")
    return ids
