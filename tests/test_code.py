"""The digest of a rule's code: what cannot change a result does not count, and a change counts where it can be reached."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from koine import code
from koine.commands import STEPS
from koine.params import laid_over
from koine.workflow.experiment import Experiment

ROOT = Path(__file__).parents[1]
MODULES = sorted(path.relative_to(ROOT / "src/koine").as_posix() for path in (ROOT / "src/koine").rglob("*.py"))
Jobs = list[tuple[str, tuple[str, ...]]]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the package, which is what digests are made of meanwhile."""
    folder = tmp_path_factory.mktemp("package") / "koine"
    shutil.copytree(ROOT / "src/koine", folder, ignore=shutil.ignore_patterns("__pycache__"))
    before, code.PACKAGE = code.PACKAGE, folder
    forget()
    yield folder
    code.PACKAGE = before
    forget()


def forget() -> None:
    for function in (code.read_module, code._digest, code._content):
        function.cache_clear()


@pytest.fixture(scope="module")
def jobs() -> Jobs:
    """Every rule with the entries of the sample's jobs, and of those of a recipe with other readers and backends."""
    asked: set[tuple[str, tuple[str, ...]]] = set()
    digest = code.digest
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code, "digest", lambda rule, entries=(): asked.add((rule, tuple(sorted(entries)))) or digest(rule, entries))
        patch.chdir(ROOT)
        for recipe in ("sample", "paper", "squad", "mlqa-domains"):
            whole = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
            layer = Path(f"recipes/{recipe}.yaml")
            Experiment(laid_over(whole, yaml.safe_load(layer.read_text(encoding="utf-8"))) if layer.is_file() else whole)
    assert {rule for rule, _ in asked} >= STEPS.keys() - {"collect_download", "collect_own", "evaluate_probe"}
    return sorted(asked)


def digests(jobs: Jobs) -> dict[tuple[str, tuple[str, ...]], str]:
    forget()
    return {job: code.digest(*job) for job in jobs}


class _Words(ast.NodeTransformer):
    """Other docstrings and annotations."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
            if argument.annotation and not any(isinstance(part, ast.Name) for part in ast.walk(argument.annotation)):
                argument.annotation = ast.Constant("other")
        node.returns = ast.Constant("other")
        return self._documented(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        return self._documented(node)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.generic_visit(node)
        return self._documented(node)

    def _documented(self, node: ast.AST) -> ast.AST:
        if ast.get_docstring(node):  # type: ignore[arg-type]
            node.body[0] = ast.Expr(ast.Constant("Other words."))  # type: ignore[attr-defined]
        return node


def test_comments_docstrings_formatting_and_annotations_count_for_nothing(package: Path, jobs: Jobs) -> None:
    before = digests(jobs)
    for name in MODULES:
        text = (package / name).read_text(encoding="utf-8")
        other = ast.unparse(ast.fix_missing_locations(_Words().visit(ast.parse(text))))
        (package / name).write_text(
            "# A comment.\n\n\n" + other.replace("\n", "\n\n", 3) + "\n# Another one.\n", encoding="utf-8"
        )
        assert other != text or not text.strip()
    after = digests(jobs)
    for name in MODULES:
        shutil.copyfile(ROOT / "src/koine" / name, package / name)
    assert after == before


@pytest.mark.parametrize("name", MODULES)
def test_a_changed_statement_counts_for_exactly_the_rules_that_can_reach_it(package: Path, jobs: Jobs, name: str) -> None:
    """One statement of each module: that of a name which some but not all rules reach, where there is one."""
    module = "koine." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    module = "koine" if name == "__init__.py" else module
    text = (package / name).read_text(encoding="utf-8")
    tree = ast.parse(text)
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    forget()
    reaching = {own: {job for job in jobs if (module, own) in code.reached(*job)} for own in names}
    chosen = max(names, key=lambda own: (0 < len(reaching[own]) < len(jobs), len(reaching[own])), default=None)
    if chosen is None:  # constants alone
        pytest.skip("no function and no class")
    if module in code.UNCOUNTED:
        assert not reaching[chosen]
    before = digests(jobs)
    node = next(node for node in tree.body if getattr(node, "name", "") == chosen)
    node.body.append(ast.parse("changed = 'changed'").body[0])  # type: ignore[attr-defined]
    (package / name).write_text(ast.unparse(tree), encoding="utf-8")
    after = digests(jobs)
    (package / name).write_text(text, encoding="utf-8")
    assert {job for job in jobs if after[job] != before[job]} == reaching[chosen]
