"""`koine init`: from a person's own questions to a recipe of their own, with the reason for each choice beside it.

The data are looked at first, and what they hold is said; nothing is written before the recipe has passed the checks of the
workflow. What the recipe needs and this machine lacks is named by `koine doctor`.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from koine.languages import canonical
from koine.params import DEFAULT, HELD_OUT, NAME
from koine.params.recipe import PARAMS, RECIPES, STAGES, laid_over, load_recipe, recipe_file, refuse_shared
from koine.people.init.choose import Machine, Wanted, way
from koine.people.init.look import describe, look, look_at_passages
from koine.people.init.write import recipe
from koine.people.plan import plan as print_plan
from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.runtime.files import write_text
from koine.runtime.gpus import gpus
from koine.runtime.hub import unreachable
from koine.workflow.experiment import Experiment


def init(
    name: str, /, *, languages: Sequence[str], qa: Sequence[str] = (), passages: Sequence[Path] = (),
    memories: Sequence[Path] = (), tests: Mapping[str, Path] = {}, source_language: str = "en", licence: str = "",
    force: bool = False,
) -> Path:  # fmt: skip
    """Start with your own data: look at it, and write a recipe with a reason for each choice.

    koine init clinic --qa own/clinic.jsonl --languages de,fi,sw

    Args:
        name: Of the recipe: recipes/NAME.yaml, results/NAME/.
        languages: To translate into, as de,fi,sw (BCP 47); repeatable.
        qa: Questions with passages: JSONL, CSV, SQuAD, BEIR folder or Hub id; repeatable.
        passages: If you have no questions: JSONL of texts; repeatable.
        memories: Translation memory, TMX or JSONL, looked up first; repeatable.
        tests: LANG=FILE: a test of your own, beside that of held-out questions; repeatable.
        source_language: Language of your data (BCP 47).
        licence: Of your data, as CC-BY-4.0; stands in the report and the model card.
        force: Replace a recipe of this name.

    Returns:
        The recipe.

    Raises:
        KoineError: something given does not exist, cannot be read, or is too small; nothing is written.
    """
    path = RECIPES / f"{name}.yaml"
    if not re.fullmatch(NAME, name) or name in (DEFAULT, HELD_OUT) or path in STAGES:
        raise KoineError(
            f"{name!r} cannot name a recipe: small letters, digits, dots and hyphens, and none of sample, heldout and dvc"
        )
    refuse_shared(name, path)
    if path.exists() and not force:
        raise KoineError(f"{path} is there already; choose another name, or say --force")
    if (taken := recipe_file(name)) not in (None, path):
        raise KoineError(f"{taken} is called {name} already; choose another name")
    if not PARAMS.is_file():
        raise KoineError(f"{PARAMS}: no such file; run koine from the checkout")
    if not qa and not passages:
        raise KoineError("give questions with --qa, or, if you have none, passages with --passages")
    source = canonical(source_language)
    wanted = Wanted(name, source, _languages(languages, source), list(memories), dict(tests), licence)
    files = [*(look(file) for file in qa), *(look_at_passages(file) for file in passages)]
    describe(files, wanted.source, wanted.languages)
    machine = Machine(gpu=bool(gpus()), hub=not unreachable())
    ways = {lang: way(lang, wanted, files, machine) for lang in wanted.languages}
    text = "\n".join(recipe(wanted, files, ways, machine)) + "\n"
    experiment = Experiment(laid_over(load_recipe(PARAMS), yaml.safe_load(text)))  # complains before anything is written
    write_text(path, text)
    print_plan(path)
    say(f"{path} is written. Read its comments: each choice is yours to change. Then:")
    model = experiment.models.indexed[0]
    search = (
        f'koine search --model models/{name}/{model} --index data/{name}/index/{model}/{HELD_OUT} "a question in any language"'
    )
    for command in (f"koine doctor {path}", f"snakemake --cores all --configfile {path}", f"koine show {path}", search):
        say(f"    {command}")
    return path


def _languages(given: Sequence[str], source: str) -> list[str]:
    """The languages to translate into, each once, of options such as `de,fi`."""
    chosen = list(dict.fromkeys(canonical(tag.strip()) for group in given for tag in group.split(",") if tag.strip()))
    if not chosen:
        raise KoineError("--languages: name one or more languages, as de,fi,sw")
    if source in chosen:
        raise KoineError(f"--languages: {source} is the language of the data; name those to translate into")
    return chosen
