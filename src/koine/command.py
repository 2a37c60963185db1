"""A function as a command: its signature is the command line, its docstring the help.

- A positional-only parameter is an argument, every other one an option of its name.
- A block of parameters (`params.Block`), or a dataclass of plain fields, gives one option for each of its fields.
- A sequence is an option that may be repeated; a mapping one of KEY=VALUE, repeated.
- The line of a parameter in the docstring's `Args:` is its help, else the description in its annotation; a block's fields bring
  their own.
- Values are checked by the annotation, also by pydantic's constraints in it.
"""

import dataclasses
import functools
import inspect
import re
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import typer
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from koine.params import Block
from koine.runtime.errors import KoineError

_SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields|Example|Examples):\s*$")
_ENTRY = re.compile(r"(?P<names>\*{0,2}\w+(?:, \w+)*): (?P<text>.*)")


class Help(NamedTuple):
    """A docstring: what stands before its sections, and the line of each argument or attribute."""

    text: str
    of: dict[str, str]

    @classmethod
    def read(cls, documented: object) -> "Help":
        """Take the docstring of a function or a class apart."""
        text, section = [], ""
        of: dict[str, str] = {}
        names: list[str] = []
        for line in inspect.cleandoc(getattr(documented, "__doc__", None) or "").split("\n"):
            if found := _SECTION.match(line):
                section = found[1]
            elif not section:
                text.append(line)
            elif section in ("Args", "Attributes") and line.strip():
                if line.startswith("    ") and not line.startswith("     ") and (entry := _ENTRY.match(line.strip())):
                    names = entry["names"].split(", ")
                    of |= dict.fromkeys(names, entry["text"])
                else:
                    of |= {name: f"{of[name]} {line.strip()}" for name in names}
        return cls("\n".join(text).strip(), of)


def command(function: Callable[..., Any]) -> Callable[..., None]:
    """What typer makes a command of: `function` with an option for each value that it takes.

    The command calls `function` with checked values.

    Raises:
        KoineError: (the command) a value does not fit; the message has the option.
    """
    hints = get_type_hints(function, include_extras=True)
    help_of = Help.read(function).of
    parameters: list[inspect.Parameter] = []
    makers: list[Callable[[dict[str, Any]], tuple[str, Any]]] = []
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints[name]
        if _is_group(hint):
            group = _group(hint)
            parameters += [option.parameter() for option in group]
            makers.append(functools.partial(_made, name, hint, group))
        else:
            argument = parameter.kind is inspect.Parameter.POSITIONAL_ONLY
            one = _Option(name, name, hint, parameter.default, help_of.get(name) or _described(hint), argument)
            parameters.append(one.parameter())
            makers.append(lambda given, name=name, one=one: (name, one.value(given)))  # type: ignore[misc]
    arguments = [
        name for name, p in inspect.signature(function).parameters.items() if p.kind is inspect.Parameter.POSITIONAL_ONLY
    ]

    @functools.wraps(function)
    def run(**given: Any) -> None:
        values = dict(make(given) for make in makers)
        by_place = [values.pop(name) for name in arguments]
        function(*by_place, **values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = Help.read(function).text
    return run


class _Option(NamedTuple):
    """One option, or argument.

    Attributes:
        field: of the function or of its block.
        name: on the command line, with underscores.
        hint, default: as annotated; `inspect.Parameter.empty` where there is no default.
        help: for people.
        argument: whether it is told by its place.
    """

    field: str
    name: str
    hint: Any
    default: Any
    help: str
    argument: bool = False

    def parameter(self) -> inspect.Parameter:
        """As typer takes it."""
        kind, extra = _shown(self.hint)
        default = self.default
        if isinstance(default, Mapping):
            default = [f"{key}={value}" for key, value in default.items()]
        elif isinstance(default, Sequence) and not isinstance(default, str):
            default = list(default)
        make: Any = typer.Argument if self.argument else typer.Option
        shown = make(
            *([] if self.argument else [self._flag(kind)]),
            help=self.help, show_default=default not in (inspect.Parameter.empty, "", [], None), **extra,
        )  # fmt: skip
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, shown], default=default
        )  # fmt: skip

    def _flag(self, kind: Any) -> str:
        flag = "--" + self.name.replace("_", "-")
        return f"{flag}/{flag.replace('--', '--no-', 1)}" if kind is bool else flag

    def value(self, given: dict[str, Any]) -> Any:
        """The checked value among those that typer read."""
        raw, hint = given[self.name], _plain(self.hint)
        option = self.name.upper() if self.argument else self._flag(None)
        if _is_mapping(hint):
            raw = _pairs(option, raw or [])
        try:
            return TypeAdapter(self.hint).validate_python(raw)
        except ValidationError as error:
            raise KoineError(f"{option}: {_reason(error)}") from None


def _group(hint: Any) -> list[_Option]:
    """The options of a block or a dataclass."""
    if issubclass(hint, Block):
        fields = {
            name: (field.rebuild_annotation(), field.get_default(call_default_factory=True), field.description or "")
            for name, field in hint.model_fields.items()
        }
    else:
        told, hints = Help.read(hint).of, get_type_hints(hint, include_extras=True)
        fields = {f.name: (hints[f.name], f.default, told.get(f.name, "")) for f in dataclasses.fields(hint)}
    missing = (PydanticUndefined, dataclasses.MISSING)
    prefix = getattr(hint, "prefix", "").replace("-", "_")
    return [
        _Option(name, prefix + name, annotation, inspect.Parameter.empty if default in missing else default, words)
        for name, (annotation, default, words) in fields.items()
    ]


def _made(name: str, hint: Any, options: Sequence[_Option], given: dict[str, Any]) -> tuple[str, Any]:
    values = {option.field: option.value(given) for option in options}
    try:
        return name, hint(**values)
    except ValidationError as error:
        field = next((part for part in error.errors()[0]["loc"]), None)
        flag = next((f"--{option.name.replace('_', '-')}: " for option in options if option.field == field), "")
        raise KoineError(flag + _reason(error)) from None


def _reason(error: ValidationError) -> str:
    return error.errors()[0]["msg"].removeprefix("Value error, ")


def _is_group(hint: Any) -> bool:
    return isinstance(hint, type) and (issubclass(hint, Block) or dataclasses.is_dataclass(hint))


def _described(hint: Any) -> str:
    """The description in an annotation: the help of an option that the docstring does not tell."""
    return next((str(about.description) for about in get_args(hint)[1:] if isinstance(about, FieldInfo)), "")


def _plain(hint: Any) -> Any:
    """An annotation without its metadata, and without the None that it may be."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        others = [kind for kind in get_args(hint) if kind is not type(None)]
        return _plain(others[0]) if len(others) == 1 else hint
    return hint


def _is_mapping(hint: Any) -> bool:
    return isinstance(get_origin(hint), type) and issubclass(get_origin(hint), Mapping)


def _shown(hint: Any) -> tuple[Any, dict[str, Any]]:
    """The type that typer knows, and what else it is told; the annotation itself checks the value afterwards."""
    plain = _plain(hint)
    optional = type(None) in get_args(hint)
    if _is_mapping(plain):
        return list[str], {"metavar": "KEY=VALUE"}
    origin = get_origin(plain)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        kind = _plain(get_args(plain)[0])
        return (list[kind] if kind in (Path, int, float) else list[str]), {}  # type: ignore[valid-type]
    if origin in (Union, types.UnionType):  # a threshold: a number, a share such as 2%, or none
        return float | None, {"parser": _threshold, "metavar": "NUMBER|N%|none"}
    if optional and plain in (int, float):
        return float | None, {"parser": _threshold, "metavar": "NUMBER|none"}
    if origin is Literal or plain in (Path, str, int, float, bool):
        return (plain | None if optional else plain), {}
    raise TypeError(f"no option can be made of {hint}")


def _threshold(text: str | float | None) -> float | str | None:
    if not isinstance(text, str):  # a default
        return text
    return None if text == "none" else text if text.endswith("%") else float(text)


def _pairs(option: str, words: Sequence[str]) -> dict[str, str]:
    """The values of a repeated option of KEY=VALUE."""
    if wrong := [word for word in words if "=" not in word]:
        raise KoineError(f"{option} {wrong[0]}: expected KEY=VALUE")
    pairs = [word.split("=", 1) for word in words]
    if twice := [key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1]:
        raise KoineError(f"{option}: {twice[0]!r} is given twice")
    return {key: value for key, value in pairs}  # noqa: C416 - mypy knows no dict() of lists
