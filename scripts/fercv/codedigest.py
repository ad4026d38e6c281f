"""A digest of the code behind a rule, so that results follow what the code says and not when it was saved.

Snakemake judges a script by its modification time and the modules that it imports not at all. A rule that carries
`code_digest(its script)` among its params runs again exactly when code that it uses has changed: the statements of its
script, every function, class and constant that these reach through names, in this library as well as in the script,
and whatever an imported module does while it is imported. Python is read, never run:

- A name is taken for what it may mean. Where it can't be followed (a module handed on as a value, `globals()`, `eval`),
  the whole module counts. What a `globals()` of a module will find can be told, see `code_digest`.
- Comments, docstrings, formatting and the order of definitions and imports don't count, nor do the texts of log lines
  and InputErrors, nor the modules that only write them: none of it can change a result.
- What is hashed is the same in Python 3.11, 3.12 and 3.13, see `outline`.
"""

import ast
import functools
import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

SCRIPTS = Path(__file__).parents[1]
WITHOUT_RESULTS = frozenset({"fercv.errors", "fercv.jobs"})
LOGGING = frozenset({"debug", "info", "warning", "error", "exception"})
DYNAMIC = frozenset({"globals", "vars", "eval", "exec"})
# Decorators that wrap what they decorate and do nothing else; others may register it somewhere.
PLAIN_DECORATORS = frozenset({"functools.cache", "contextlib.contextmanager", "_in_one_look"})

# What a module is asked for besides the names that it defines.
IMPORTED, EVERYTHING, LOOKED_UP = "(imported)", "(everything)", "(looked up)"


class Statement(NamedTuple):
    """A top-level statement: its outline, and what it uses, as pairs of a module and a name in it."""

    text: str
    uses: frozenset[tuple[str, str]]


class Module(NamedTuple):
    """A module's definitions by name, what its imports bind, and the statements that its import runs."""

    definitions: dict[str, list[Statement]]
    imports: dict[str, set[tuple[str, str]]]
    running: list[Statement]


def code_digest(script: Path, looked_up: Collection[str] = ()) -> str:
    """Digest of a script and of all code that it uses, 32 hexadecimal digits; see `used_code`."""
    used = sorted((*place, text) for place, text in used_code(script, looked_up).items() if text)
    return hashlib.blake2b(ascii(used).encode(), digest_size=16).hexdigest()


def used_code(script: Path, looked_up: Collection[str] = ()) -> dict[tuple[str, str], list[str]]:
    """Find the code that a script uses.

    Args:
        script: a Python file in the folder that `fercv` stands in.
        looked_up: what `globals()` and the like will find, e.g. `["fercv.architectures.cnn"]`. Where nothing is given
            for a module that uses them, all of it counts.

    Returns:
        {(module, name): outlines of the statements that define it}; among the names, IMPORTED stands for what runs
        when the module is imported.

    Raises:
        SyntaxError: one of the files is not Python.
    """
    texts, waiting = {}, [(Path(script).stem, EVERYTHING)]
    while waiting:
        asked = module_name, name = waiting.pop()
        if asked in texts or module_name in WITHOUT_RESULTS or (path := module_file(module_name)) is None:
            continue
        module = read_module(path)
        statements, more = module.definitions.get(name, []), []
        if name == IMPORTED:
            statements = module.running
        elif name == EVERYTHING:
            more = [(module_name, defined) for defined in module.definitions]
        elif name == LOOKED_UP:
            known = [full.rpartition(".")[2] for full in looked_up if full.rpartition(".")[0] == module_name]
            more = [(module_name, found) for found in known or [EVERYTHING]]
        elif not statements:
            more = module.imports.get(name) or [(module_name, EVERYTHING)]
        texts[asked] = [statement.text for statement in statements if statement.text]
        waiting.append((module_name, IMPORTED))
        waiting.extend(more)
        for statement in statements:
            waiting.extend(statement.uses)
    return texts


@functools.cache
def module_file(name: str) -> Path | None:
    """The file of a module of this program, None for a module from elsewhere."""
    path = SCRIPTS.joinpath(*name.split("."))
    return next(filter(Path.is_file, [path.with_suffix(".py"), path / "__init__.py"]), None)


@functools.cache
def read_module(path: Path) -> Module:
    """Take a module apart into its top-level statements."""
    tree = WithoutRemarks().visit(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
    name = ".".join(path.relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__")
    telling = ast.Name | ast.Attribute | ast.Import | ast.ImportFrom
    mentions = {node: [part for part in ast.walk(node) if isinstance(part, telling)] for node in tree.body}
    # Imports bind names wherever they stand in the file; what they bind belongs to the statement that uses it.
    imports = {}
    for parts in mentions.values():
        for part in parts:
            for bound, target in imported_names(part, name):
                imports.setdefault(bound, set()).add(target)
    defined = {bound for node in tree.body for bound in defined_names(node)}
    module = Module({}, imports, [])
    for node, parts in mentions.items():
        uses, foreign = find_uses(parts, name, defined, imports)
        text = "" if isinstance(node, ast.Import | ast.ImportFrom) else ascii((outline(node), sorted(foreign)))
        statement = Statement(text, frozenset(uses))
        for bound in defined_names(node):
            module.definitions.setdefault(bound, []).append(statement)
        if may_act(node):
            module.running.append(statement)
    return module


def find_uses(parts: list[ast.AST], module: str, defined: set[str], imports: dict) -> tuple[set, set]:
    """What the names and imports of a statement may mean.

    Returns:
        Pairs of a module of this program and a name in it; and what comes from elsewhere, as triples of the name here,
        the module and the name there.
    """
    uses, foreign, owners = set(), set(), set()
    for part in parts:
        if isinstance(part, ast.Import | ast.ImportFrom):
            uses.update((loaded, IMPORTED) for loaded in imported_modules(part, module))
            if isinstance(part, ast.ImportFrom) and part.names[0].name == "*":
                uses.add((import_source(part, module), EVERYTHING))
            continue
        if isinstance(part, ast.Attribute):
            if not isinstance(part.value, ast.Name):
                continue
            owners.add(part.value)
            mentioned, attribute = part.value.id, part.attr
        elif part in owners:
            continue
        else:
            mentioned, attribute = part.id, EVERYTHING
        if mentioned in DYNAMIC:
            uses.add((module, LOOKED_UP))
        if mentioned in defined:
            uses.add((module, mentioned))
        for target, name in imports.get(mentioned, ()):
            if module_file(target) is None:
                foreign.add((mentioned, target, name))
            else:
                uses.add((target, attribute if name == EVERYTHING else name))
    return uses, foreign


def outline(node) -> object:
    """A syntax tree as nested tuples and lists, without what is empty.

    `ast.dump` names empty fields, which come and go with Python's versions; `ast.unparse` quotes f-strings differently
    since 3.12.
    """
    if isinstance(node, ast.AST):
        fields = ((field, getattr(node, field, None)) for field in node._fields if field != "ctx")
        return (type(node).__name__, *((field, outline(value)) for field, value in fields if value not in (None, [])))
    return [outline(part) for part in node] if isinstance(node, list) else node


def defined_names(node: ast.stmt) -> Iterator[str]:
    """The names that a statement binds, where it is a function, a class or an assignment to names."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))


def may_act(node: ast.stmt) -> bool:
    """Whether a statement may do more than define a name, so that it counts for whoever imports its module."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return not all(ast.unparse(decorator) in PLAIN_DECORATORS for decorator in node.decorator_list)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        named = all(isinstance(target, ast.Name | ast.Tuple) for target in targets)
        return not named or any(isinstance(part, ast.Call) for part in ast.walk(node))
    return True


def imported_names(node: ast.AST, module: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """What an import binds: pairs of the local name and its target, a module and a name or EVERYTHING."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0], (alias.name, EVERYTHING)
    elif isinstance(node, ast.ImportFrom):
        source = import_source(node, module)
        for alias in node.names:
            submodule = f"{source}.{alias.name}"
            target = (source, alias.name) if module_file(submodule) is None else (submodule, EVERYTHING)
            yield alias.asname or alias.name, target


def imported_modules(node: ast.AST, module: str) -> Iterator[str]:
    """The modules that an import loads, with the packages above them."""
    if isinstance(node, ast.Import):
        loaded = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        source = import_source(node, module)
        loaded = [source, *(f"{source}.{alias.name}" for alias in node.names)]
    else:
        return
    for name in loaded:
        parts = name.split(".")
        yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def import_source(node: ast.ImportFrom, module: str) -> str:
    """The absolute name of the module that a `from` import names, relative ones included."""
    if not node.level:
        return node.module
    above = module.split(".")[: -node.level]
    return ".".join([*above, *([node.module] if node.module else [])])


class WithoutRemarks(ast.NodeTransformer):
    """Takes out what only speaks to readers and users: docstrings, log lines, the texts of InputErrors."""

    def visit_Expr(self, node):  # noqa: D102 - a method of ast's
        value = node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return None
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in LOGGING:
            owner = value.func.value
            return None if isinstance(owner, ast.Name) and owner.id == "log" else node
        return node

    def visit_Raise(self, node):  # noqa: D102 - a method of ast's
        call = node.exc
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "InputError":
            node.exc, node.cause = call.func, None
        return node
