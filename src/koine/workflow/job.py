"""What Snakemake compares of a job: its flags, its code, and what a person's own files hold."""

import shlex
from collections.abc import Iterable, Mapping
from typing import TypedDict


class Job(TypedDict):
    """A job of a rule, or all jobs of a rule that differ by nothing but paths.

    Attributes:
        flags: of its command, shell-quoted; every result parameter that it reads, and no other one.
        files: inputs besides those that the rule names.
        code: digest of the code that its command can reach.
        content: digest of the person's own files among its inputs.
    """

    flags: str
    files: list[str]
    code: str
    content: str


def options(name: str, values: Iterable[object]) -> list[str]:
    """`--name value` for each value.

    >>> options("pools", ["en+fi"])
    ['--pools', 'en+fi']
    """
    return [word for value in values for word in (f"--{name}", str(value))]


def pairs(name: str, values: Mapping[str, object]) -> list[str]:
    """`--name key=value` for each of a mapping's entries."""
    return options(name, [f"{key}={value}" for key, value in values.items()])


def switch(name: str, value: bool) -> str:
    """`--name` or `--no-name`."""
    return f"--{name}" if value else f"--no-{name}"


def line(*words: object) -> str:
    """Words of a command, shell-quoted.

    >>> line("--domain", "sea ports")
    "--domain 'sea ports'"
    """
    return shlex.join(str(word) for word in words)
