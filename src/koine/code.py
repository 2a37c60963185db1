"""The code of a rule: a digest of all that its command can reach and that can change a result.

The command's function names functions, classes and constants, these name others, and so on: that is what counts, wherever
in the package it stands. What cannot change a result does not count: comments, docstrings, formatting, annotations,
explanations of parameters, and the modules of messages (`UNCOUNTED`). So an edit reruns the rules that can reach it, and
no other ones.

- Of a registry (`koine.names.Registry`) only the entries count that a job names: a new entry reruns nothing.
- A text such as `koine.train.surgery:Surgery` names what stands there.
- A file of data counts where a text names it that lies beside the module: YAML by its values, others by their bytes.
- What a module does when it is imported, besides defining names, counts wherever one of its names does.

The names are followed without running anything, so what cannot be seen so (`getattr` of a computed name) must not be used
by steps.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from koine.commands import STEPS
from koine.runtime.files import read_memory, write_memory

PACKAGE = Path(__file__).parent
#: What only speaks to people.
UNCOUNTED = {"koine.runtime.console", "koine.runtime.errors"}
#: Arguments that only explain; those of the second kind stand on the page, and count for its rules alone.
_EXPLAINS = {"description", "help"}
_SHOWS = {"words", "example", "colour", "heading", "printed", "better", "main", "headline", "usual", "reason"}
_PLACE = re.compile(r"(?P<module>koine(\.\w+)+):(?P<name>\w+)")
_ENTRY = re.compile(r"(?P<module>koine(\.\w+)*):(?P<registry>\w+)\[(?P<key>.+)\]")

Symbol = tuple[str, str]  # module and name; the name "" stands for what the module does when it is imported


def digest(rule: str, entries: Iterable[str] = ()) -> str:
    """Sixteen hex digits over the code of a rule.

    Args:
        rule: of `koine.commands.STEPS`.
        entries: of registries, that a job of the rule uses: `koine.strategies:STRATEGIES[hybrid]`.

    Raises:
        KeyError: there is no such rule, or no such entry.
    """
    return _digest(rule, tuple(sorted(set(entries))))


@cache
def _digest(rule: str, entries: tuple[str, ...]) -> str:
    shows = rule.startswith("report")
    counted = {f"{module}:{name} {_symbol_digest(module, name, shows)}" for module, name in reached(rule, entries)}
    counted |= {f"{entry} {_text_digest(_dump(_entry(entry)[1], shows))}" for entry in entries}
    return _text_digest("\n".join(sorted(counted)))[:16]


class Digests:
    """Digests that are remembered from run to run, for as long as no file of the package changes.

    Args:
        memory: where they are kept.
    """

    def __init__(self, memory: Path) -> None:
        files = sorted(path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc")
        about = [(str(path), (stat := path.stat()).st_size, stat.st_mtime_ns, stat.st_ctime_ns) for path in files]
        self._memory, self._package = memory, _text_digest(repr(about))
        known = read_memory(memory)
        self._known: dict[str, str] = known.get("digests", {}) if known.get("package") == self._package else {}
        self._before = len(self._known)

    def digest(self, rule: str, entries: Iterable[str] = ()) -> str:
        """See `digest`."""
        name = " ".join([rule, *sorted(set(entries))])
        if name not in self._known:
            self._known[name] = digest(rule, entries)
        return self._known[name]

    def save(self) -> None:
        """Remember what was computed."""
        if len(self._known) > self._before:
            write_memory(self._memory, {"package": self._package, "digests": self._known})


def reached(rule: str, entries: Iterable[str] = ()) -> set[Symbol]:
    """Every name that the command of a rule can reach, as (module, name)."""
    todo: list[Symbol] = [(STEPS[rule], rule)]
    seen: set[Symbol] = set()
    for entry in entries:
        todo += _entry_references(entry)
    while todo:
        symbol = todo.pop()
        module = read_module(symbol[0])
        if symbol in seen or module is None or symbol[0] in UNCOUNTED:
            continue
        seen.add(symbol)
        if symbol[1]:
            todo.append((symbol[0], ""))
        todo += _references(*symbol)
    return seen


@cache
def _references(module: str, name: str) -> list[Symbol]:
    """What the code of a name names."""
    found = read_module(module)
    return found.references(name) if found else []


@cache
def _symbol_digest(module: str, name: str, shows: bool) -> str:
    """Of the code of a name, and of the files of data that it names."""
    found = read_module(module)
    nodes = found.nodes(name) if found else []
    texts = [_dump(node, shows) for node in nodes]
    texts += [f"{file.name} {_content(file)}" for node in nodes for file in found.files(node)] if found else []
    return _text_digest("\n".join(texts))


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _entry(place: str) -> tuple["Module", ast.AST]:
    found = _ENTRY.fullmatch(place)
    module = read_module(found["module"]) if found else None
    if found is None or module is None:
        raise KeyError(place)
    return module, module.registries[found["registry"]][found["key"]]


@cache
def _entry_references(place: str) -> list[Symbol]:
    module, node = _entry(place)
    return list(_Names(module).of(node))


@dataclass
class Module:
    """A module's top level: the nodes of each name, those without a name (""), and what imported names stand for."""

    name: str
    folder: Path
    symbols: dict[str, list[ast.AST]] = field(default_factory=dict)
    imported: dict[str, Symbol] = field(default_factory=dict)
    registries: dict[str, dict[str, ast.AST]] = field(default_factory=dict)
    annotated: dict[ast.AST, list[str]] = field(default_factory=dict)

    def nodes(self, symbol: str) -> list[ast.AST]:
        """The statements that make a name; of `Block.` the methods alone."""
        if symbol.endswith("."):
            return [node for owner in self.symbols.get(symbol[:-1], []) for node in _methods(owner)]
        return self.symbols.get(symbol, [])

    def references(self, symbol: str) -> list[Symbol]:
        """What a name's code names."""
        if symbol == "*":  # the module itself is handed on: all of it
            return [(self.name, own) for own in self.symbols]
        if symbol.rstrip(".") not in self.symbols:  # it comes from another module
            place, name = self.imported.get(symbol.rstrip("."), ("", ""))
            return [(place, name + "." * symbol.endswith("."))] if place else []
        return [found for node in self.nodes(symbol) for found in _Names(self).of(node)]

    def files(self, node: ast.AST) -> list[Path]:
        """The files beside the module that a statement names."""
        texts = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}
        paths = [self.folder / text for text in texts if re.fullmatch(r"[\w.-]+\.[a-z]+", text)]
        return [path for path in paths if path.is_file() and path.suffix != ".py"]


@cache
def read_module(name: str) -> Module | None:
    """Parse a module of Koine; None where there is none of this name."""
    base = PACKAGE.joinpath(*name.split(".")[1:])
    path = next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
    if path is None or not (name + ".").startswith("koine."):
        return None
    module, plain = Module(name, path.parent), _Plain(fields=name.startswith("koine.params"))
    for node in plain.visit(ast.parse(path.read_text(encoding="utf-8"))).body:
        _place(module, node)
    module.annotated = plain.annotated
    return module


def _place(module: Module, node: ast.stmt) -> None:
    """Put a statement of the top level where it belongs."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        module.imported |= _imported(node)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        module.symbols.setdefault(node.name, []).append(node)
    elif isinstance(node, ast.AnnAssign) and _is_registry(node):
        entries = zip(node.value.keys, node.value.values, strict=True)  # type: ignore[union-attr]
        name = node.target.id  # type: ignore[union-attr]
        module.registries[name] = {str(key.value): value for key, value in entries}
        module.symbols[name] = []
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and (names := list(_targets(node))):
        for name in names:
            module.symbols.setdefault(name, []).append(node)
    elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
        module.symbols.setdefault("", []).append(node)


def _is_registry(node: ast.AnnAssign) -> bool:
    kind = node.annotation
    return (
        isinstance(node.target, ast.Name)
        and isinstance(kind, ast.Subscript)
        and isinstance(kind.value, ast.Name)
        and kind.value.id == "Registry"
        and isinstance(node.value, ast.Dict)
        and all(isinstance(key, ast.Constant) for key in node.value.keys)
    )


def _targets(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        for part in ast.walk(target):
            if isinstance(part, ast.Name):
                yield part.id


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, Symbol]:
    """Names that an import binds, and what of Koine each stands for; a module is named "*"."""
    found: dict[str, Symbol] = {}
    for alias in node.names:
        if isinstance(node, ast.Import):
            top = alias.name.partition(".")[0]
            found[alias.asname or top] = (alias.name if alias.asname else top, "*")
        elif (node.module or "").partition(".")[0] == "koine":
            inner = f"{node.module}.{alias.name}"
            found[alias.asname or alias.name] = (inner, "*") if _exists(inner) else (str(node.module), alias.name)
    return {name: symbol for name, symbol in found.items() if symbol[0].partition(".")[0] == "koine"}


def _exists(name: str) -> bool:
    base = PACKAGE.joinpath(*name.split(".")[1:])
    return base.with_suffix(".py").is_file() or (base / "__init__.py").is_file()


class _Plain(ast.NodeTransformer):
    """Take away what cannot change a result: docstrings, annotations, explanations. Blocks of parameters keep their types."""

    def __init__(self, *, fields: bool) -> None:
        self._fields, self._function = fields, False
        #: Names in the annotations of a function's arguments: the methods of blocks among them may be called.
        self.annotated: dict[ast.AST, list[str]] = {}

    def _body(self, body: list[ast.stmt]) -> list[ast.stmt]:
        first = body[0] if body else None
        documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
        return body[1:] or [ast.Pass()] if documented else body

    def visit_Module(self, node: ast.Module) -> ast.AST:
        node.body = self._body(node.body)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = self._body(node.body)
        outside, self._function = self._function, False
        self.generic_visit(node)
        self._function = outside
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body, node.returns = self._body(node.body), None
        arguments = node.args
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]:
            if argument:
                self.annotated.setdefault(node, []).extend(_names_of(argument.annotation))
                argument.annotation = None
        outside, self._function = self._function, True
        self.generic_visit(node)
        self._function = outside
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if _is_registry(node) or (self._fields and not self._function):
            return node
        if node.value is None:
            return ast.Expr(node.target)
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value, lineno=node.lineno), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.keywords = [keyword for keyword in node.keywords if keyword.arg not in _EXPLAINS]
        return self.generic_visit(node)


def _names_of(annotation: ast.expr | None) -> list[str]:
    return [part.id for part in ast.walk(annotation) if isinstance(part, ast.Name)] if annotation else []


def _methods(node: ast.AST) -> list[ast.AST]:
    """The methods of a block that compute something: those that check a value refuse it, or let it pass."""
    functions = [part for part in getattr(node, "body", []) if isinstance(part, ast.FunctionDef)]
    return [part for part in functions if "validator" not in "".join(map(ast.dump, part.decorator_list))]


class _Names:
    """The names of Koine that a node refers to, seen from its module; local names hide the module's."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def of(self, node: ast.AST) -> Iterator[Symbol]:
        yield from self._visit(node, frozenset(), {})

    def _visit(self, node: ast.AST, hidden: frozenset[str], local: dict[str, Symbol]) -> Iterator[Symbol]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            outer = [*getattr(node, "decorator_list", []), *node.args.defaults, *filter(None, node.args.kw_defaults)]
            for part in outer:
                yield from self._visit(part, hidden, local)
            for name in self._module.annotated.get(node, []):
                for place, block in self._resolve(name, hidden, local):
                    if place.startswith("koine.params"):
                        yield place, f"{block}."
            inner = dict(local)
            body = node.body if isinstance(node.body, list) else [node.body]
            for part in _scope(body):
                if isinstance(part, ast.Import | ast.ImportFrom):
                    inner |= _imported(part)
            bound = _bound(node, body) - set(inner)
            for part in body:
                yield from self._visit(part, (hidden | bound) - set(inner), inner)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            for module, name in self._resolve(node.value.id, hidden, local):
                if name == "*" and _exists(f"{module}.{node.attr}"):
                    yield f"{module}.{node.attr}", "*"
                else:
                    yield module, node.attr if name == "*" else name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield from self._resolve(node.id, hidden, local)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (found := _PLACE.fullmatch(node.value)):
            yield found["module"], found["name"]
        else:
            for part in ast.iter_child_nodes(node):
                yield from self._visit(part, hidden, local)

    def _resolve(self, name: str, hidden: frozenset[str], local: dict[str, Symbol]) -> Iterator[Symbol]:
        if name in local:
            yield local[name]
        elif name not in hidden:
            if name in self._module.symbols:
                yield self._module.name, name
            elif name in self._module.imported:
                yield self._module.imported[name]


def _scope(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a function's own scope, without those of functions and classes in it."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield from _scope(ast.iter_child_nodes(node))


def _bound(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, body: Iterable[ast.AST]) -> set[str]:
    """The names that a function binds: its arguments, and what is assigned in it."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    names = {argument.arg for argument in every if argument}
    shared: set[str] = set()
    for part in _scope(body):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(part.name)
        elif isinstance(part, ast.Global):
            shared |= set(part.names)
    return names - shared


def _dump(part: object, shows: bool) -> str:
    """A node as text, without what is only shown on the page unless that is asked for.

    `ast.dump` writes the same code differently in Python 3.11, 3.12 and 3.13: fields that are empty, or new.
    """
    if isinstance(part, ast.AST):
        fields = [f"{name}={_dump(value, shows)}" for name, value in ast.iter_fields(part) if value not in (None, [])]
        return f"{type(part).__name__}({', '.join(fields)})"
    if isinstance(part, list):
        kept = [one for one in part if shows or not (isinstance(one, ast.keyword) and one.arg in _SHOWS)]
        return f"[{', '.join(_dump(one, shows) for one in kept)}]"
    return repr(part)


@cache
def _content(path: Path) -> str:
    """What counts of a file of data."""
    if path.suffix == ".yaml":
        import yaml

        return repr(yaml.safe_load(path.read_text(encoding="utf-8")))
    return hashlib.sha256(path.read_bytes()).hexdigest()
