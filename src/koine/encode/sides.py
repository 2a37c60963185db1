"""The two sides of a benchmark: its queries and its passages."""

from koine.backbones.tokenizer import Side
from koine.records import PASSAGES, QUERIES, Schema

#: By side: the name of its tables and vectors, and the schema of its table.
SIDES: dict[Side, tuple[str, Schema]] = {"query": ("queries", QUERIES), "passage": ("passages", PASSAGES)}
