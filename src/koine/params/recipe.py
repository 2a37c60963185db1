"""Recipes as files: read, laid over params.yaml, found by the name that they give themselves."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from koine.params.base import DEFAULT
from koine.runtime.errors import KoineError
from koine.runtime.files import read_text

if TYPE_CHECKING:
    import yaml

#: The default experiment, and where the recipes are that are laid over it.
PARAMS, RECIPES = Path("params.yaml"), Path("recipes")
#: DVC's stages, of the default experiment and of the recipes.
STAGES = (Path("dvc.yaml"), RECIPES / "dvc.yaml")
#: Folders below data/ and models/ that all recipes share.
SHARED = {"raw": "data/raw", "translation": "models/translation"}


def laid_over(base: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """`layer` over `base`: mappings merge, all else replaces.

    >>> laid_over({"train": {"seeds": [1, 2], "alpha": 0.5}}, {"train": {"seeds": [3]}})
    {'train': {'seeds': [3], 'alpha': 0.5}}
    """
    both = {key: laid_over(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
            for key, value in layer.items()}  # fmt: skip
    return {**base, **both}


def at_scale(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration at the scale that it names.

    Raises:
        KoineError: there is no such scale; the message lists those that there are.
    """
    scale, scales = config.get("scale"), config.get("scales") or {}
    if not scale or not isinstance(scales, dict):  # what is no mapping is told with the other mistakes
        return config
    if scale not in scales:
        raise KoineError(f"scale: {scale!r} is not among the recipe's: {', '.join(scales) or 'it has none'}")
    if not isinstance(scales[scale], dict):
        raise KoineError(f"scales.{scale}: expected parameters, as under the recipe itself")
    return {**laid_over(config, scales[scale]), "recipe": at(config.get("recipe", DEFAULT), scale)}


def at(recipe: str, scale: str) -> str:
    """The name of a recipe at a scale, as it stands in the tables.

    >>> at("paper", ""), at("paper", "full")
    ('paper', 'paper@full')
    """
    return f"{recipe}@{scale}" if scale else recipe


def results_folder(name: str) -> Path:
    """The folder of a recipe's tables, by its name in them.

    >>> results_folder("sample").as_posix(), results_folder("paper@full").as_posix()
    ('results', 'results/paper@full')
    """
    return Path("results") / ("" if name == DEFAULT else name)


def load_recipe(path: Path, scale: str = "") -> dict[str, Any]:
    """params.yaml with a recipe laid over it, as Snakemake merges them, and the scale that is asked for.

    Args:
        path: the recipe, or params.yaml.
        scale: one of its scales; empty for the recipe as it stands.

    Returns:
        A configuration that `parse` and `Plan` take.

    Raises:
        KoineError: as `read_recipe` and `recipe_name`.
    """
    check_recipes([path])
    config = laid_over(read_recipe(PARAMS), read_recipe(path))
    return {**config, "scale": scale or config.get("scale", "")}


def check_recipes(paths: Iterable[Path]) -> None:
    """Refuse files that are laid over params.yaml, one over the other, if they would write where something else stands.

    Args:
        paths: the files of one experiment; one of them gives it a name. params.yaml itself needs none.

    Raises:
        KoineError: as `read_recipe` and `recipe_name`.
    """
    layers = {path: read_recipe(path) for path in paths if not _is_default(path)}
    for path in [path for path, layer in layers.items() if "recipe" in layer][-1:] or list(layers)[:1]:
        _check_name(layers[path].get("recipe"), path)


def recipe_name(path: Path, scale: str = "") -> str:
    """The name that a recipe gives itself, as it stands in the tables.

    Args:
        path: the recipe, or params.yaml.
        scale: one of its scales, or nothing.

    Raises:
        KoineError: the file cannot be read; it gives no name, or that of the default experiment, whose committed tables it
            would replace; its name is that of a folder which all recipes share, or that of another file in recipes/.
    """
    name = _name_in(path, read_recipe(path))
    if not _is_default(path):
        _check_name(name, path)
    return at(str(name), scale)


def recipe_files() -> list[Path]:
    """The files in recipes/ that are laid over params.yaml: all but DVC's stages."""
    return [path for path in sorted(RECIPES.glob("*.yaml")) if path not in STAGES]


def recipe_file(name: str) -> Path | None:
    """The file of a recipe, by the name that stands in the tables: params.yaml, or one in recipes/; None where there is none.

    Args:
        name: of the recipe, with its scale after @ or without.

    Raises:
        KoineError: two files have this name.
    """
    found = list(_files_of(name.partition("@")[0]))
    if len(found) > 1:
        raise KoineError(_one_name_twice(found[0], found[1], name))
    return found[0] if found else None


def refuse_shared(name: object, path: Path) -> None:
    """Refuse a recipe's name that is the name of a folder which all recipes share.

    Raises:
        KoineError: it is one.
    """
    if isinstance(name, str) and name in SHARED:
        raise KoineError(f"{path}: {name!r} cannot name a recipe, for all recipes share {SHARED[name]}/; choose another name")


def _check_name(name: object, path: Path) -> None:
    """Refuse the name of a recipe that would write where something else stands."""
    if path.resolve() in [stages.resolve() for stages in STAGES]:
        raise KoineError(f"{path}: these are DVC's stages, and no recipe; name another file")
    if name in (None, DEFAULT):
        raise KoineError(
            f"{path}: give the recipe a name of its own, as `recipe: {path.stem}`; without one it would replace the results of "
            f"{PARAMS}"
        )
    refuse_shared(name, path)
    if other := next((file for file in _files_of(name) if file.resolve() != path.resolve()), None):
        raise KoineError(_one_name_twice(path, other, name))


def _one_name_twice(first: Path, second: Path, name: object) -> str:
    return f"{first} and {second} are both called {name}, and would replace each other's results; change `recipe:` in one of them"


def _is_default(path: Path) -> bool:
    return path.resolve() == PARAMS.resolve()


def _name_in(path: Path, layer: dict[str, Any]) -> object:
    return layer.get("recipe", DEFAULT if _is_default(path) else None)


def _files_of(name: object) -> Iterator[Path]:
    """params.yaml and the files in recipes/ that give themselves a name; a file that cannot be read is none of them."""
    for path in (PARAMS, *recipe_files()):
        try:
            if (path == PARAMS or str(name) in read_text(path)) and _name_in(path, read_recipe(path)) == name:
                yield path
        except KoineError:
            continue


def read_recipe(path: Path) -> dict[str, Any]:
    """The mapping in a recipe or in params.yaml.

    Raises:
        KoineError: it is missing or is no YAML mapping, or a key stands twice in one block, which YAML itself would let pass.
    """
    if not path.is_file():
        raise KoineError(f"{path}: no such file; run koine from the checkout")
    import yaml  # not for those who only want the blocks

    try:
        loader = yaml.SafeLoader(read_text(path))
        root = loader.get_single_node()
        if twice := _stands_twice(root):
            raise KoineError(f"{path}: {twice}")
        found = loader.construct_document(root) if root else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise KoineError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(found, dict):
        raise KoineError(f"{path}: expected a mapping of parameters")
    return found


def _stands_twice(root: "yaml.Node | None") -> str:
    """What is wrong with the first block that has a key twice; empty where none has."""
    import yaml

    todo, seen = [root] if root else [], set()
    while todo:
        node = todo.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[tuple[str, str], int] = {}
            for key, value in node.value:
                todo.append(value)
                if isinstance(key, yaml.ScalarNode):
                    line, name = key.start_mark.line + 1, (key.tag, key.value)
                    if name in lines:
                        return f"{key.value!r} stands twice in one block, in lines {lines[name]} and {line}; keep one of them"
                    lines[name] = line
    return ""
