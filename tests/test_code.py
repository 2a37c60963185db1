"""The digest of a rule's code: what cannot change a result does not count, and a change counts where it can be reached."""

import ast
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml

from koine import code
from koine.commands import STEPS
from koine.params import laid_over
from koine.workflow.experiment import Experiment

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/koine"
MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
QUICK = {"evaluate/metrics.py", "index/build.py", "people/show.py", "train/batches.py"}  # the others are of `make test-all`
CACHED = (code.read_module, code._digest, code._symbol_digest, code._references, code._entry_references, code._content)
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
    for function in CACHED:
        function.cache_clear()


@pytest.fixture(scope="module")
def jobs() -> Jobs:
    """Every rule with the entries of the sample's jobs, and of those of a recipe with other readers and backends."""
    asked: set[tuple[str, tuple[str, ...]]] = set()
    with pytest.MonkeyPatch.context() as patch:

        def noted(self: code.Digests, rule: str, entries: Iterable[str] = ()) -> str:
            asked.add((rule, tuple(sorted(entries))))
            return code.digest(rule, entries)

        patch.setattr(code.Digests, "digest", noted)
        patch.chdir(ROOT)
        for recipe in ("sample", "mlqa-domains", "squad"):
            whole = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
            layer = Path(f"recipes/{recipe}.yaml")
            Experiment(laid_over(whole, yaml.safe_load(layer.read_text(encoding="utf-8"))) if layer.is_file() else whole)
    known = {rule for rule, _ in asked} | {"collect_download", "collect_own"}  # what these bring is checked by its sha256
    assert known == STEPS.keys()
    return sorted(asked)


Reached = dict[tuple[str, tuple[str, ...]], frozenset[tuple[str, str]]]


@pytest.fixture(scope="module")
def before(package: Path, jobs: Jobs) -> tuple[dict[tuple[str, tuple[str, ...]], str], Reached]:
    """Of the package as it is: every job's digest, and the names that it reaches."""
    return digests(jobs), {job: frozenset(code.reached(*job)) for job in jobs}


def named(tree: ast.Module) -> dict[str, ast.stmt]:
    """The functions and classes of a module; of one that has none, its constants."""
    found: dict[str, ast.stmt] = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    constants = [(node.targets[0], node) for node in tree.body if isinstance(node, ast.Assign)]
    constants += [(node.target, node) for node in tree.body if isinstance(node, ast.AnnAssign)]
    return found or {target.id: node for target, node in constants if isinstance(target, ast.Name)}


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


def test_comments_docstrings_formatting_and_annotations_count_for_nothing(
    package: Path, jobs: Jobs, before: tuple[dict[tuple[str, tuple[str, ...]], str], Reached]
) -> None:
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
    assert after == before[0]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in MODULES
        if named(ast.parse((SOURCE / name).read_text(encoding="utf-8")))
    ],
)
def test_a_changed_statement_counts_for_exactly_the_rules_that_can_reach_it(
    package: Path, jobs: Jobs, before: tuple[dict[tuple[str, tuple[str, ...]], str], Reached], name: str
) -> None:
    """One statement of each module: that of a name which some but not all rules reach, where there is one."""
    module = "koine." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    module = "koine" if name == "__init__.py" else module
    text = (package / name).read_text(encoding="utf-8")
    tree = ast.parse(text)
    names = named(tree)
    unchanged, reached = before
    reaching = {own: {job for job in jobs if (module, own) in reached[job]} for own in names}
    chosen = max(names, key=lambda own: (0 < len(reaching[own]) < len(jobs), len(reaching[own])))
    if module in code.UNCOUNTED:
        assert not reaching[chosen]
    node, changed = names[chosen], ast.parse("'changed', 'changed'").body[0]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        node.body.append(changed)
    else:
        node.value = changed.value  # type: ignore[attr-defined]
    (package / name).write_text(ast.unparse(tree), encoding="utf-8")
    try:
        after = digests(jobs)
    finally:
        (package / name).write_text(text, encoding="utf-8")
    assert {job for job in jobs if after[job] != unchanged[job]} == reaching[chosen]


def test_a_statement_is_the_same_text_in_every_version_of_python() -> None:
    """3.12 gave functions a field, 3.13 leaves empty ones out: what `ast.dump` writes would rerun everything there."""
    node = ast.parse("def f(a, *, b=None): return a").body[0]
    expected = (
        "FunctionDef(name='f', args=arguments(args=[arg(arg='a')], kwonlyargs=[arg(arg='b')], kw_defaults=[Constant()]), "
        "body=[Return(value=Name(id='a', ctx=Load()))])"
    )
    assert code._dump(node, False) == expected
    node.type_params = []  # type: ignore[attr-defined]
    assert code._dump(node, False) == expected
