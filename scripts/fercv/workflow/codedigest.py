"""A digest of the code behind a rule, so that results follow what the code says and not when it was saved.

Snakemake judges a script by its modification time and the modules that it imports not at all. A rule that carries
`code_digest(its script)` among its params runs again exactly when code that it uses has changed: the statements of its
script, every function, class and constant that these reach through names, in this library as well as in the script,
and whatever an imported module does while it is imported. Python is read, never run:

- A name is taken for whatever it may mean. Where it can't be followed, all that it could be counts: the whole module
  where that is handed on as a value or asked for names with `globals()`, every module where modules are looked up.
  What a function finds with `globals()` can be told, see `code_digest`.
- Comments, docstrings, formatting and the order of definitions and imports don't count, nor do log lines and the texts
  of InputErrors, nor the modules that only write and compare them: none of it can change a result.
- What is hashed is the same in Python 3.11, 3.12 and 3.13, see `outline`.

Unseen are the versions of other packages, files that code reads by itself (a rule declares them as input), and classes
that register themselves through a base class.
"""

import ast
import builtins
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

SCRIPTS = Path(__file__).parents[2]
WITHOUT_RESULTS = frozenset(
    {"fercv.engine.leases"}
    | {f"fercv.workflow.{name}" for name in ("codedigest", "errors", "finished", "jobs", "locks", "messages")}
)
LOGGING = frozenset({"debug", "info", "warning", "error", "exception"})
# What finds names of its module, and what finds modules.
FINDING_NAMES = frozenset({"globals", "vars", "eval", "exec"})
FINDING_MODULES = frozenset({"__import__", "import_module", "modules"})
# Decorators and calls that do nothing but return something; others might leave a trace where nobody names the result.
PLAIN_DECORATORS = frozenset(
    {"cache", "functools.cache", "lru_cache", "functools.lru_cache", "contextmanager", "contextlib.contextmanager"}
    | {"dataclass", "dataclasses.dataclass", "style.context"}
)
PLAIN_CALLS = frozenset({*dir(builtins), "Path", "re.compile", "logging.getLogger", "np.array"}) - {
    *FINDING_NAMES,
    *FINDING_MODULES,
    *("open", "setattr", "delattr"),
}

# What a module is asked for besides the names that it defines.
IMPORTED, EVERYTHING, LOOKED_UP = "(imported)", "(everything)", "(looked up by) "


class Statement(NamedTuple):
    """A top-level statement: its outline, and what it uses, as pairs of a module and a name in it."""

    text: str
    uses: frozenset[tuple[str, str]]


class Module(NamedTuple):
    """A module's definitions by name, what its imports bind, and the statements that its import runs."""

    definitions: dict[str, list[Statement]]
    imports: dict[str, set[tuple[str, str]]]
    running: list[Statement]


def code_digest(script: str, looked_up: Mapping[str, Sequence[str]] | None = None) -> str:
    """Digest of a script and of all code that it uses, 32 hexadecimal digits; see `used_code`."""
    used = sorted((*place, text) for place, text in used_code(script, looked_up or {}).items() if text)
    return hashlib.blake2b(ascii(used).encode(), digest_size=16).hexdigest()


def used_code(script: str, looked_up: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], list[str]]:
    """Find the code that a script uses.

    Args:
        script: name of a script, without its folder and `.py`.
        looked_up: what a function finds with `globals()`, e.g. {"fercv.nets.architectures.find_architecture":
            ["cnn"]}. All of the module counts for functions that are not named here.

    Returns:
        {(module, name): outlines of the statements that define it}; among the names, IMPORTED stands for what runs
        when the module is imported.

    Raises:
        FileNotFoundError: there is no such script.
        SyntaxError: one of the files is not Python.
    """
    if module_file(script) is None:
        raise FileNotFoundError(f"no script {script}.py in {SCRIPTS}")
    texts, waiting = {}, [(script, IMPORTED)]
    while waiting:
        asked = module_name, name = waiting.pop()
        if asked in texts or module_name in WITHOUT_RESULTS:
            continue
        path = module_file(module_name)
        if path is None:
            # From elsewhere, perhaps through a module of this program: which it is counts, not what it holds.
            texts[asked] = [] if name == IMPORTED else ["from elsewhere"]
            continue
        module = read_module(path)
        statements, more = module.definitions.get(name, []), []
        if name == IMPORTED:
            statements = module.running
        elif "." in name:
            more = follow_attributes(module_name, module, name)
        elif name == EVERYTHING:
            more = [(module_name, defined) for defined in module.definitions]
            more += [(submodule, EVERYTHING) for submodule in submodules(path)]
            more += [target for bound in module.imports.values() for target in bound if target[1] != EVERYTHING]
        elif name.startswith(LOOKED_UP):
            known = looked_up.get(f"{module_name}.{name.removeprefix(LOOKED_UP)}", [EVERYTHING])
            more = [(module_name, found) for found in known]
        elif name in module.imports:
            more = list(module.imports[name])
        elif not statements:
            submodule = f"{module_name}.{name}"
            more = [(module_name if module_file(submodule) is None else submodule, EVERYTHING)]
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


def submodules(path: Path) -> list[str]:
    """The modules directly in a package, whose `__init__.py` is given; none where it is another module's file."""
    if path.stem != "__init__":
        return []
    inside = [*path.parent.glob("*.py"), *path.parent.glob("*/__init__.py")]
    return sorted(dotted_name(file) for file in inside if file != path)


def dotted_name(path: Path) -> str:
    """The dotted name of a file of this program."""
    return ".".join(path.relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def read_module(path: Path) -> Module:
    """Take a module apart into its top-level statements."""
    tree = WithoutRemarks().visit(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
    name = dotted_name(path)
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
        if any(isinstance(part, ast.Name) and part.id in FINDING_NAMES for part in parts):
            uses.update((name, LOOKED_UP + bound) for bound in defined_names(node) or [EVERYTHING])
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
    uses, foreign, followed = set(), set(), set()
    for part in parts:
        if isinstance(part, ast.Import | ast.ImportFrom):
            uses.update((loaded, IMPORTED) for loaded in imported_modules(part, module))
            if isinstance(part, ast.ImportFrom) and part.names[0].name == "*":
                uses.add((import_source(part, module), EVERYTHING))
            continue
        if part in followed:
            continue
        # The whole of `fercv.wing.module.name` comes before its parts.
        nodes, attributes = attribute_chain(part)
        followed.update(nodes)
        if not isinstance(nodes[-1], ast.Name):
            continue
        mentioned = nodes[-1].id
        if FINDING_MODULES & {mentioned, *attributes}:
            uses.update((dotted_name(path), EVERYTHING) for path in SCRIPTS.rglob("*.py"))
        if mentioned in defined:
            uses.add((module, mentioned))
        for target, name in imports.get(mentioned, ()):
            if module_file(target) is None:
                foreign.add((mentioned, target, name))
            elif name == EVERYTHING:
                uses.add(name_in_module(target, attributes))
            else:
                uses.add((target, ".".join([name, *attributes])))
    return uses, foreign


def attribute_chain(node: ast.Name | ast.Attribute) -> tuple[list[ast.AST], list[str]]:
    """Take `a.b.c` apart: its nodes from the outermost to what stands before the first dot, and the names after it."""
    nodes, attributes = [node], []
    while isinstance(nodes[-1], ast.Attribute):
        attributes.insert(0, nodes[-1].attr)
        nodes.append(nodes[-1].value)
    return nodes, attributes


def name_in_module(module: str, attributes: Sequence[str]) -> tuple[str, str]:
    """The module and the name in it that attributes of a module lead to; EVERYTHING where they end at a module."""
    for attribute in attributes:
        if module_file(f"{module}.{attribute}") is None:
            return module, attribute
        module = f"{module}.{attribute}"
    return module, EVERYTHING


def follow_attributes(module_name: str, module: Module, name: str) -> list[tuple[str, str]]:
    """What `name.attribute` of a module leads to: the definition of the name, or what an import of the module binds."""
    first, *attributes = name.split(".")
    found = [(module_name, first)] if first in module.definitions or first not in module.imports else []
    for target, bound in module.imports.get(first, ()):
        if module_file(target) is None:
            found.append((target, bound))
        elif bound == EVERYTHING:
            found.append(name_in_module(target, attributes))
        else:
            found.append((target, ".".join([bound, *attributes])))
    return found


def outline(node) -> object:
    """A syntax tree as nested tuples and lists, without what is empty.

    `ast.dump` names empty fields, which come and go with Python's versions; `ast.unparse` quotes f-strings differently
    since 3.12.
    """
    if isinstance(node, ast.AST):
        fields = ((field, getattr(node, field, None)) for field in node._fields if field != "ctx")
        return (type(node).__name__, *((field, outline(value)) for field, value in fields if value not in (None, [])))
    return [outline(part) for part in node] if isinstance(node, list) else node


def defined_names(node: ast.stmt) -> list[str]:
    """The names that a statement binds, where it is a function, a class or an assignment to names."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    return [part.id for target in targets(node) for part in ast.walk(target) if isinstance(part, ast.Name)]


def may_act(node: ast.stmt) -> bool:
    """Whether a statement may do more than define a name, so that it counts for whoever imports its module."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        decorators = [part.func if isinstance(part, ast.Call) else part for part in node.decorator_list]
        return not {ast.unparse(decorator) for decorator in decorators} <= PLAIN_DECORATORS
    if isinstance(node, ast.Assign | ast.AnnAssign):
        called = {ast.unparse(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)}
        return not (called <= PLAIN_CALLS and all(isinstance(target, ast.Name | ast.Tuple) for target in targets(node)))
    return True


def targets(node: ast.stmt) -> list[ast.expr]:
    """What an assignment assigns to; nothing where a statement is none."""
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign) else []


def imported_names(node: ast.AST, module: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """What an import binds: pairs of the local name and its target, a module and a name or EVERYTHING."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            yield alias.asname or top, (alias.name if alias.asname else top, EVERYTHING)
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
    path = module_file(module)
    parts = [*module.split("."), *(["__init__"] if path.stem == "__init__" else [])]
    return ".".join([*parts[: -node.level], *([node.module] if node.module else [])])


class WithoutRemarks(ast.NodeTransformer):
    """Takes out what only speaks to readers and users: docstrings, log lines, the texts of InputErrors.

    And empty texts in f-strings, which Python 3.12 puts behind a nested format.
    """

    def visit_Expr(self, node):  # noqa: D102 - a method of ast's
        value = node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return None
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in LOGGING:
            owner = value.func.value
            if isinstance(owner, ast.Name) and owner.id == "log":
                return None
        return self.generic_visit(node)

    def visit_Call(self, node):  # noqa: D102 - a method of ast's
        if isinstance(node.func, ast.Name) and node.func.id == "InputError":
            node.args, node.keywords = [], []
        return self.generic_visit(node)

    def visit_JoinedStr(self, node):  # noqa: D102 - a method of ast's
        node.values = [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
        return self.generic_visit(node)
