"""Recipes as files: a key that stands twice, names that would write over each other, and the file of a name."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from koine.params import check_recipes, load_recipe, recipe_file
from koine.params.recipe import recipe_files, recipe_name, results_folder
from koine.people.check import check
from koine.people.doctor import doctor
from koine.people.fetch import fetch
from koine.people.plan import plan
from koine.people.show import show
from koine.runtime.errors import KoineError

ROOT = Path(__file__).parents[1]
COMMANDS: list[Callable[[Path], object]] = [doctor, plan, check, fetch, show]


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "recipes").mkdir()
    monkeypatch.chdir(tmp_path)


def written(text: str, name: str = "mine") -> Path:
    path = Path(f"recipes/{name}.yaml")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [  # of the first five: the key and its lines
        ("recipe: mine\ntrain: {seeds: [1]}\ncollect: {}\ntrain: {alpha: 0.1}\n", ("train", 2, 4)),
        ("recipe: mine\ntrain:\n  seeds: [1]\n  alpha: 0.1\n  'seeds': [2]\n", ("seeds", 3, 5)),
        ("recipe: mine\ntrain: {seeds: [1], seeds: [2]}\n", ("seeds", 2, 2)),
        ("recipe: mine\nscales: {full: {train: {alpha: 1,\n  alpha: 0}}}\n", ("alpha", 2, 3)),
        ("recipe: mine\na: &b [{x: 1,\n x: 2}]\nc: *b\n", ("x", 2, 3)),
        ("recipe: [\n", r"not valid YAML"),
        ("recipe: a\x00\n", r"not valid YAML"),
        ("- recipe\n", r"expected a mapping of parameters"),
        ("", r"expected a mapping of parameters"),
        ("[" * 5000, r"not valid YAML"),
    ],
)  # fmt: skip
def test_what_is_no_recipe_is_said_with_its_lines(text: str, said: str | tuple[str, int, int]) -> None:
    if isinstance(said, tuple):
        said = "'{}' stands twice in one block, in lines {} and {}".format(*said)
    with pytest.raises(KoineError, match=rf"^recipes/mine\.yaml: {said}"):
        load_recipe(written(text))


def test_an_anchor_that_is_used_twice_and_laid_over_is_no_key_that_stands_twice() -> None:
    text = "recipe: mine\nscales:\n  a: &a {train: {alpha: 0.1}}\n  b: {<<: *a, report: {}}\n  c: *a\n"
    assert load_recipe(written(text))["scales"]["b"] == {"train": {"alpha": 0.1}, "report": {}}


def test_a_key_that_stands_twice_in_params_is_said_too() -> None:
    with Path("params.yaml").open("a") as stream:
        stream.write("train: {}\n")
    with pytest.raises(KoineError, match=r"^params\.yaml: 'train' stands twice in one block, in lines \d+ and \d+; keep one"):
        load_recipe(Path("params.yaml"))


@pytest.mark.parametrize("text", ["train: {seeds: [7]}\n", "recipe: sample\ntrain: {seeds: [7]}\n", "recipe:\n"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_recipe_that_would_write_over_the_committed_table_is_refused(command: Callable[[Path], object], text: str) -> None:
    path = written(text)
    with pytest.raises(KoineError, match=r"^recipes/mine\.yaml: give the recipe a name of its own, as `recipe: mine`"):
        command(path)


@pytest.mark.parametrize("command", COMMANDS)
def test_two_recipes_of_one_name_are_refused_with_both_files(command: Callable[[Path], object]) -> None:
    paths = [written("recipe: mine\n", name) for name in ("mine", "other")]
    for path, other in (paths, paths[::-1]):
        with pytest.raises(KoineError, match=rf"^{path} and {other} are both called mine"):
            command(path)
    with pytest.raises(KoineError, match=r"are both called mine"):
        recipe_file("mine@full")


@pytest.mark.parametrize("name", ["raw", "translation"])
def test_no_recipe_has_the_name_of_a_folder_that_all_share(name: str) -> None:
    with pytest.raises(KoineError, match=rf"{name}' cannot name a recipe, for all recipes share (data|models)/{name}/"):
        load_recipe(written(f"recipe: {name}\n"))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_stages_of_dvc_beside_the_recipes_are_none(command: Callable[[Path], object]) -> None:
    path = written("stages: {}\n", "dvc")
    assert path not in recipe_files()
    with pytest.raises(KoineError, match=r"^recipes/dvc\.yaml: these are DVC's stages, and no recipe"):
        command(path)


def test_the_file_of_a_name_is_the_one_that_gives_it() -> None:
    path = written("recipe: mine\n", "quite another")
    written("recipe: [", "broken")
    written("recipe: mine-too\n", "mine-too")
    assert recipe_file("mine") == recipe_file("mine@full") == path
    assert recipe_file("sample") == Path("params.yaml") and recipe_file("quite another") is None
    assert (recipe_name(path), recipe_name(path, "full")) == ("mine", "mine@full")
    assert recipe_name(Path("params.yaml").resolve()) == "sample"
    assert results_folder(recipe_name(path, "full")) == Path("results/mine@full")


def test_every_recipe_of_this_checkout_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for path in recipe_files():
        assert recipe_file(path.stem) == path


def test_of_files_that_are_laid_over_each_other_one_gives_the_name() -> None:
    paths = [written("recipe: mine\n"), written("train: {seeds: [1]}\n", "smaller"), Path("params.yaml")]
    check_recipes(paths)
    check_recipes([])
    with pytest.raises(KoineError, match=r"smaller\.yaml: give the recipe a name of its own"):
        check_recipes(paths[1:])


def test_snakemake_refuses_what_the_commands_refuse() -> None:
    """Its own reading of YAML lets a key stand twice, and a recipe without a name write over the committed table."""
    for name in ("Snakefile", "workflow", "src"):
        Path(name).symlink_to(ROOT / name)
    for text, said in (
        ("train: {seeds: [7]}\n", "give the recipe a name"),
        ("recipe: mine\ntrain: {}\ntrain: {}\n", "stands twice"),
    ):
        words = ["-n", "--configfile", str(written(text))]
        result = subprocess.run([sys.executable, "-m", "snakemake", *words], capture_output=True, text=True, check=False)
        assert result.returncode == 1 and said in " ".join((result.stdout + result.stderr).split())
