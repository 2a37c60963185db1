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
# Made from src/koine/params by `python -m koine.params`; values may be edited here, keys come from there.
#
# What it gives stands in recipes/expected/sample.csv; `koine check` compares.
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
