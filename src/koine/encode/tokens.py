"""A benchmark as token ids."""

from pathlib import Path

import polars as pl

from koine.backbones.kinds import KINDS
from koine.backbones.tokenizer import read_tokenizer, tokenize, write_tokens
from koine.encode.sides import SIDES
from koine.params import KindName
from koine.runtime.console import say
from koine.runtime.files import sha256


def encode_tokens(
    tokenizer: Path, benchmark: Path, out: Path, kind: KindName, query_prefix: str = "", passage_prefix: str = ""
) -> None:
    """Tokenise a benchmark once for all models of a backbone: on a CPU that costs more than a static encoder.

    Args:
        tokenizer: The backbone's tokenizer.json.
        benchmark: Folder of koine collect-benchmark.
        out: Folder; gets queries.arrow and passages.arrow, rows as in the benchmark's tables.
        kind: Kind of backbone.
        query_prefix: Put before each query.
        passage_prefix: Put before each passage.

    Raises:
        KoineError: the tokenizer or a table of the benchmark is missing or not whole.
    """
    opened, made_with = read_tokenizer(tokenizer), sha256(tokenizer)
    prefixes = {"query": query_prefix, "passage": passage_prefix}
    for side, (name, schema) in SIDES.items():
        rows = schema.read(benchmark / f"{name}.parquet")
        tokens = tokenize(opened, rows["text"].to_list(), prefixes[side], KINDS[kind].special_tokens)
        write_tokens(out / f"{name}.arrow", tokens, rows.select("id", "lang", tokenizer=pl.lit(made_with)))
    say(f"{benchmark.name}: tokenised")
