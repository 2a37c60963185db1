"""The `koine` command: one subcommand for each rule of the workflow, and some for people (`koine.commands`).

A command is made of its function's signature and docstring (`koine.command`) when it is called, so that `koine --help` and
light steps import no more than they need.
"""

import ast
import errno
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

# Before numpy, torch and tokenizers read them: a job uses the threads that Snakemake gave it.
if "OMP_NUM_THREADS" in os.environ:
    os.environ.setdefault("RAYON_NUM_THREADS", os.environ["OMP_NUM_THREADS"])
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import typer
from typer.core import TyperCommand, TyperGroup

from koine.commands import PEOPLE, STEPS
from koine.names import nearest
from koine.runtime.console import degrade, say
from koine.runtime.errors import KoineError

COMMANDS = STEPS | PEOPLE
PACKAGE = Path(__file__).parent
FULL = {number: os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)}
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


class _Commands(TyperGroup):
    """The commands, each imported when it is called; a list of them reads their docstrings alone."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name.replace("_", "-") for name in COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        name = cmd_name.replace("-", "_")
        if name not in COMMANDS:
            return None
        panel = "Steps of the workflow" if name in STEPS else "For people"
        return TyperCommand(cmd_name, help=_first_line(COMMANDS[name], name), rich_help_panel=panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, *rest = args
        if name.replace("-", "_") not in COMMANDS:
            ctx.fail(f"no such command {name!r}{nearest(name, self.list_commands(ctx))}; koine --help lists them")
        return name, load(name), rest


def load(name: str) -> Any:
    """The whole command of a name."""
    from koine.command import command

    function = name.replace("-", "_")
    only = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    only.command(name, context_settings=CONTEXT)(command(getattr(importlib.import_module(COMMANDS[function]), function)))
    return typer.main.get_command(only)


def _first_line(module: str, function: str) -> str:
    """The first line of a function's docstring, without importing its module."""
    place = PACKAGE.joinpath(*module.split(".")[1:])
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    command = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    return (ast.get_docstring(command) or "").partition("\n")[0]


CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

app = typer.Typer(
    cls=_Commands,
    help="""Train, index and evaluate multilingual dense retrievers that prefer no language.

    The steps below are the rules of the workflow, in the order in which data flows. To run them all, for
    the embedded sample and for another experiment:

        snakemake --cores all

        snakemake --cores all --configfile recipes/squad-fi.yaml

    `snakemake -n` shows what would run, and `-p` the koine command of each job, which works typed by hand.""",
    epilog="Exit codes: 0 done, 1 an error that is said, 2 wrong usage, 75 training stopped with a checkpoint, 130 Ctrl-C.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
)


@app.callback()
def _koine() -> None:
    pass


def _remedy(error: Exception) -> str:
    """What a person can do about a disk; empty where it is not the disk. Libraries in Rust say it in words."""
    number = error.errno if isinstance(error, OSError) else None
    if number in FULL or any(words in str(error) for words in FULL.values()):
        return "the disk is full or a quota is reached"
    if number in CLOSED:
        return "it may not be written here; look at the rights of the folder, and whether its disk is mounted read-only"
    return ""


def main() -> None:
    """Run the command line; a `KoineError` is a message, Ctrl-C a clean stop, a full disk no traceback."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    degrade()
    try:
        app(prog_name="koine")
    except KoineError as error:
        say(f"error: {error}")
        sys.exit(1)
    except Exception as error:
        if not (remedy := _remedy(error)):
            raise
        say(f"error: {error}: {remedy}; finished files stay, the same command goes on from there")
        sys.exit(1)
    except SystemExit as end:
        if end.code == 130:  # typer's answer to Ctrl-C
            say("stopped; finished files stay, the same command goes on from there")
        raise
