"""`python -m koine.params` writes params.yaml and the JSON schema from the blocks; a test fails while they are stale."""

import json
from pathlib import Path
from typing import Any

from koine.params.base import Block
from koine.params.experiment import Params
from koine.runtime.files import write_text

PARAMS_FILE = Path("params.yaml")
SCHEMA_FILE = Path("workflow/schemas/params.schema.json")
HEAD = """\
# yaml-language-server: $schema=workflow/schemas/params.schema.json
#
# The default experiment: Koine's embedded sample. Snakemake's configfile and DVC's params file at once.
# Your own experiment is a file in recipes/ that is laid over this one:
#     snakemake --cores all --configfile recipes/squad-fi.yaml
# Made from src/koine/params.py by `python -m koine.params`; values may be edited here, keys come from there.
#
# What it gives (`koine check`): benchmark, backbone, strategy, setting, metric, value, tolerance.
# expect:
#   - [sample, static, untrained, mono, map, 0.235, 0.02]
#   - [sample, static, untrained, cross, map, 0.034, 0.02]
#   - [sample, static, untrained, multi, map, 0.030, 0.02]
#   - [sample, static, untrained, multi, rank_distance, 9505, 950]
#   - [sample, static, en-en, mono, map, 0.360, 0.02]
#   - [sample, static, en-en, cross, map, 0.073, 0.02]
#   - [sample, static, en-en, multi, map, 0.063, 0.02]
#   - [sample, static, en-en, multi, rank_distance, 9390, 939]
#   - [sample, static, x-x-mono, mono, map, 0.880, 0.02]
#   - [sample, static, x-x-mono, cross, map, 0.116, 0.02]
#   - [sample, static, x-x-mono, multi, map, 0.144, 0.02]
#   - [sample, static, x-x-mono, multi, rank_distance, 8828, 883]
#   - [sample, static, x-y, mono, map, 0.877, 0.02]
#   - [sample, static, x-y, cross, map, 0.757, 0.02]
#   - [sample, static, x-y, multi, map, 0.666, 0.02]
#   - [sample, static, x-y, multi, rank_distance, 74, 7]
#   - [sample, static, hybrid, mono, map, 0.881, 0.02]
#   - [sample, static, hybrid, cross, map, 0.723, 0.02]
#   - [sample, static, hybrid, multi, map, 0.621, 0.02]
#   - [sample, static, hybrid, multi, rank_distance, 96, 10]
#   - [sample, bm25, untrained, mono, map, 0.502, 0.02]
#   - [sample, bm25, untrained, cross, map, 0.078, 0.02]
#   - [sample, bm25, untrained, multi, map, 0.066, 0.02]
#   - [sample, bm25, untrained, multi, rank_distance, 10568, 1057]
"""


def render() -> str:
    """`params.yaml` with every default and its description."""
    return HEAD + "".join(_render_field(name, getattr(Params(), name), Params, 0) for name in Params.model_fields)


def _render_field(name: str, value: Any, owner: type[Block], depth: int) -> str:
    pad = "  " * depth
    description = owner.model_fields[name].description
    gap = "\n" if depth == 0 else ""
    if isinstance(value, Block):
        comment = f"{pad}# {(type(value).__doc__ or '').splitlines()[0]}\n"
        body = "".join(_render_field(child, getattr(value, child), type(value), depth + 1) for child in type(value).model_fields)
        return f"{gap}{comment}{pad}{name}:\n{body}"
    comment = f"{pad}# {description}\n" if description else ""
    if isinstance(value, dict) and value:
        body = "".join(_render_entry(key, entry, depth + 1) for key, entry in value.items())
        return f"{gap}{comment}{pad}{name}:\n{body}"
    return f"{gap}{comment}{pad}{name}: {json.dumps(value, ensure_ascii=False)}\n"


def _render_entry(name: str, value: Block, depth: int) -> str:
    pad = "  " * depth
    body = "".join(_render_field(child, getattr(value, child), type(value), depth + 1) for child in type(value).model_fields)
    return f"{pad}{name}:\n{body}"


def schema() -> str:
    """The JSON schema of `params.yaml`, as text."""
    return json.dumps(Params.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    write_text(PARAMS_FILE, render())
    write_text(SCHEMA_FILE, schema())
