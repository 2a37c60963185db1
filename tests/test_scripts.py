"""Benchmarks, which no test runs: what they take from Koine and from the tests exists, and takes what it is given."""

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "tests")
SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


def is_own(module: str) -> bool:
    return module.partition(".")[0] == "koine" or any((ROOT / folder / f"{module}.py").is_file() for folder in FOLDERS)


def imported(tree: ast.AST) -> dict[str, Any]:
    """What a script imports that is not another package's, by the name that it has there."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.asname or one.name: importlib.import_module(one.name) for one in node.names if is_own(one.name)}
        elif isinstance(node, ast.ImportFrom) and node.module and is_own(node.module):
            module = importlib.import_module(node.module)
            for one in node.names:
                if not hasattr(module, one.name):
                    importlib.import_module(f"{node.module}.{one.name}")
                found[one.asname or one.name] = getattr(module, one.name)
    return found


def meant(node: ast.expr, names: dict[str, Any]) -> Any:
    """What a name of a script, or a name in an imported module, stands for; None where it is the script's own."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and isinstance(module := meant(node.value, names), ModuleType):
        return getattr(module, node.attr)
    return None


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_what_a_benchmark_takes_from_koine_exists_and_takes_what_it_is_given(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in FOLDERS:
        monkeypatch.syspath_prepend(str(ROOT / folder))
    tree = ast.parse(script.read_text(encoding="utf-8"))
    names = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            meant(node, names)
        if not isinstance(node, ast.Call) or (called := meant(node.func, names)) is None:
            continue
        keywords = {word.arg: word.value for word in node.keywords if word.arg}
        if len(keywords) < len(node.keywords) or any(isinstance(value, ast.Starred) for value in node.args):
            continue  # what a star stands for is not known here
        try:
            inspect.signature(called).bind(*node.args, **keywords)
        except TypeError as error:
            pytest.fail(f"{script.name}:{node.lineno}: {ast.unparse(node.func)}: {error}")
