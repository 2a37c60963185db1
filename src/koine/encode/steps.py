"""The two commands of the encode step: a benchmark as token ids, and its vectors by one model."""

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import tokenizers

from koine import backbones
from koine.backbones.base import Kind, TrainableEncoder
from koine.backbones.tokenizer import Tokens, read_tokens, tokenize, write_tokens
from koine.encode.vectors import write_vectors
from koine.records import PASSAGES, QUERIES
from koine.runtime.console import progress, say
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256, write_json

SIDES: tuple[tuple[Kind, str], ...] = (("query", "queries"), ("passage", "passages"))
_SCHEMAS = {"queries": QUERIES, "passages": PASSAGES}


def encode_tokens(tokenizer: Path, benchmark: Path, out: Path, *, prefixes: dict[Kind, str], special: bool) -> None:
    """Tokenise a prepared benchmark once for all models of a backbone: on a CPU that costs more than a static encoder.

    Args:
        tokenizer: tokenizer.json of the backbone.
        benchmark: folder of `collect_benchmark`.
        out: folder; gets queries.arrow and passages.arrow, rows as in the benchmark's tables.
        prefixes: put before each query and passage.
        special: whether texts are framed by <s> and </s>.
    """
    own = tokenizers.Tokenizer.from_file(str(tokenizer))
    made_with = sha256(tokenizer)
    for kind, name in SIDES:
        rows = _SCHEMAS[name].read(benchmark / f"{name}.parquet")
        tokens = tokenize(own, rows["text"].to_list(), prefixes[kind], special)
        write_tokens(out / f"{name}.arrow", tokens, rows.select("id", "lang", tokenizer=pl.lit(made_with)))
    say(f"{benchmark.name}: tokenised")


def encode(model: str, benchmark: Path, out: Path, *, tokens: Path | None, dtype: str, batch_size: int, device: str) -> None:
    """Encode a prepared benchmark: one encoder call per language and side, so 2 L calls for L languages.

    Args:
        model: folder or Hub id.
        benchmark: folder of `collect_benchmark`.
        out: folder; gets queries.npy and passages.npy, `[n, d]`, rows as in the benchmark's tables, and
            encode.json, which counts the calls.
        tokens: folder of `encode_tokens` for Koine's own models; None tokenises on the way.
        dtype: float32 or float16 on disk.
        batch_size, device: execution only.

    Raises:
        KoineError: the tokens are of another tokenizer than the model's, or of other texts.
    """
    encoder = backbones.load(model, device)
    calls: Counter[str] = Counter()
    for kind, name in SIDES:
        rows = _SCHEMAS[name].read(benchmark / f"{name}.parquet")
        ids = None if tokens is None else _read_tokens(tokens / f"{name}.arrow", rows, Path(model) / "tokenizer.json")
        positions = [np.flatnonzero(rows["lang"] == lang) for lang in rows["lang"].unique(maintain_order=True)]
        parts = []
        for own in progress(positions, f"{name}: languages"):
            if ids is not None and isinstance(encoder, TrainableEncoder):
                parts.append(encoder.encode_tokens(ids.take(own), batch_size=batch_size))
            else:
                parts.append(encoder.encode(rows["text"].gather(own).to_list(), kind, batch_size=batch_size))
            calls[kind] += 1
        vectors = np.empty((len(rows), parts[0].shape[1]), dtype=dtype)
        for own, part in zip(positions, parts, strict=True):
            vectors[own] = part
        write_vectors(vectors, out / f"{name}.npy")
    write_json(out / "encode.json", {"encoder_calls": calls.total(), **calls})
    say(f"{benchmark.name}: {calls.total()} encoder calls")


def _read_tokens(path: Path, rows: pl.DataFrame, tokenizer: Path) -> Tokens:
    ids, made = read_tokens(path)
    if not tokenizer.is_file() or set(made["tokenizer"]) != {sha256(tokenizer)}:
        raise KoineError(f"{path}: not made with {tokenizer}; delete it and run again")
    if not made.select("id", "lang").equals(rows.select("id", "lang")):
        raise KoineError(f"{path}: not the texts of this benchmark; delete it and run again")
    return ids
