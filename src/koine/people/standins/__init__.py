"""`koine standins`: tiny random models that stand in for the Hub's, to try recipes offline."""

from collections.abc import Sequence
from pathlib import Path

from koine.runtime.console import say


def standins(out: Path, /, *, models: Sequence[str] = ()) -> None:
    """Write tiny random stand-ins of the Hub's encoders and translators, in their true architectures, to try recipes offline.

    koine standins my-models && export KOINE_MODELS=my-models

    Args:
        out: The folder that KOINE_MODELS is to name.
        models: Hub id; repeatable. All of the registry and of the recipes, if none is given.

    Raises:
        KoineError: there is no stand-in for a name.
    """
    from koine.people.standins.models import write_standins

    for folder in write_standins(out, models):
        say(str(folder))
