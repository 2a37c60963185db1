"""What several test files share: small tables, and the mirror of public data where this machine has it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import settings

from koine.records import QA
from koine.runtime.files import text_id

# The same examples in every run, and no example database in the checkout.
settings.register_profile("koine", deadline=None, derandomize=True, database=None)
settings.load_profile("koine")


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of public data (`KOINE_MIRROR`, or where the mirror unpacks itself); without it the test is skipped."""
    root = Path(os.environ.get("KOINE_MIRROR") or Path.home() / ".cache/koine/mirror")
    if not (root / "raw.githubusercontent.com").is_dir():
        pytest.skip(f"needs the mirror of public data: {root} is not there (set KOINE_MIRROR, see docs/offline.md)")
    return root


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy corpus; see `toy`."""
    import toy

    folder = tmp_path_factory.mktemp("corpus")
    toy.write_corpus(folder)
    return folder


@pytest.fixture
def qa() -> Callable[..., pl.DataFrame]:
    """Builds a QA table from rows that say only what matters to the test."""

    def build(*rows: dict[str, Any]) -> pl.DataFrame:
        filled = []
        for number, row in enumerate(rows):
            passage = row.get("passage", f"Passage number {number}.")
            empty: dict[str, Any] = {"source": "test", "domain": "", "licence": "", "lang": "en", "answer": None}
            named = {"id": f"test/{number}", "passage_id": text_id(passage), "group": text_id(passage)}
            filled.append({**empty, **named, "question": f"Question number {number}?", "passage": passage, **row})
        return QA.frame(filled)

    return build
