"""A digest of the code behind a rule: results are made again when that code changes, and only then.

Snakemake compares the modification times of scripts, and doesn't look at the modules that they import. So every rule
has the digest of its script among its params. A script's digest counts

- the script's top-level statements, and every function, class and constant that they reach by name, in any module;
- whatever runs while one of these modules is imported;
- a whole module where code looks up its names as text (`globals()`), unless the rule tells what it finds (`lookups`).

It doesn't count comments, docstrings, formatting, the order of definitions, log lines, the texts of InputErrors, and
the modules of WITHOUT_RESULTS. It doesn't see other packages' versions, files that code reads by itself, classes that
register themselves through a base class, and names that are found as text in another way than by FINDING_NAMES and
FINDING_MODULES. It is the same in Python 3.11, 3.12 and 3.13. Code is read, never run.
"""

import ast
import builtins
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fercv.workflow.errors import InputError

SCRIPTS = Path(__file__).parents[2]
# Modules that write messages, tell progress, compare digests, wait, or choose among GPUs that are alike: no result
# depends on them.
WITHOUT_RESULTS = frozenset(
    {"fercv.engine.leases", "fercv.train.progress"}
    | {
        f"fercv.workflow.{name}"
        for name in ("codedigest", "errors", "finished", "jobs", "keeping", "locks", "messages", "planning", "progress")
    }
)
LOGGING = frozenset({"debug", "info", "warning", "error", "exception"})
# Functions that look up names given as text, and those that look up modules.
FINDING_NAMES = frozenset({"globals", "locals", "vars", "eval", "exec"})
FINDING_MODULES = frozenset({"__import__", "import_module", "modules", "resolve_name", "run_module", "run_path"})
# Decorators and calls that only return something. Any other might act on something else when its module is imported.
PLAIN_DECORATORS = frozenset(
    {"cache", "functools.cache", "lru_cache", "functools.lru_cache", "contextmanager", "contextlib.contextmanager"}
    | {"dataclass", "dataclasses.dataclass", "style.context", "property", "classmethod", "staticmethod"}
)
PLAIN_CALLS = frozenset({*dir(builtins), "Path", "re.compile", "logging.getLogger", "np.array", "field"}) - {
    *FINDING_NAMES,
    *FINDING_MODULES,
    *("open", "setattr", "delattr"),
}

# These stand in the place of a name. IMPORTED is what runs when the module is imported, EVERYTHING is all that the
# module defines, and LOOKED_UP with a function's name after it is what that function looks up.
IMPORTED, EVERYTHING, LOOKED_UP = "(imported)", "(everything)", "(looked up by) "

Place = tuple[str, str]  # a module and a name in it


class Statement(NamedTuple):
    """A top-level statement: its outline, and the places that it uses."""

    text: str
    uses: frozenset[Place]


class Module(NamedTuple):
    """A module: the statements that define each name, the places that imported names stand for, what importing runs."""

    name: str
    path: Path
    definitions: dict[str, list[Statement]]
    imports: dict[str, set[Place]]
    running: list[Statement]


def code_digest(script: str, lookups: Mapping[str, Sequence[str]] | None = None) -> str:
    """Digest of a script and of all code that it uses, 32 hexadecimal digits; see `used_code`."""
    used = sorted((*place, texts) for place, texts in used_code(script, lookups or {}).items() if texts)
    return hashlib.blake2b(ascii(used).encode(), digest_size=16).hexdigest()


def used_code(script: str, lookups: Mapping[str, Sequence[str]]) -> dict[Place, list[str]]:
    """Find the code that a script uses.

    Args:
        script: name of a script, without its folder and `.py`.
        lookups: what functions find that look up names with `globals()`, for instance
            {"fercv.nets.architectures.find_architecture": ["cnn"]}. Where a function is not named here, all of its
            module counts.

    Returns:
        {(module, name): outlines of the statements that define the name}. The name can also be IMPORTED, EVERYTHING, or
        LOOKED_UP and a function's name.

    Raises:
        FileNotFoundError: there is no such script.
        InputError: one of the files is not Python.
    """
    if module_file(script) is None:
        raise FileNotFoundError(f"no script {script}.py in {SCRIPTS}")
    texts, waiting = {}, [(script, IMPORTED)]
    while waiting:
        place = waiting.pop()
        if place not in texts and place[0] not in WITHOUT_RESULTS:
            texts[place], uses = code_at(place, lookups)
            waiting.extend(uses)
    return texts


def code_at(place: Place, lookups: Mapping[str, Sequence[str]]) -> tuple[list[str], list[Place]]:
    """The outlines of the statements behind one place, and the places that these use in turn."""
    module_name, name = place
    path = module_file(module_name)
    if path is None:
        # A module of this program imports the name from elsewhere. The name counts, its code does not.
        return [] if name == IMPORTED else ["from elsewhere"], []
    module = read_module(path)
    statements = module.running if name == IMPORTED else module.definitions.get(name, [])
    uses = [(module_name, IMPORTED), *places_behind(module, name, lookups)]
    uses += [used for statement in statements for used in statement.uses]
    return [statement.text for statement in statements if statement.text], uses


def places_behind(module: Module, name: str, lookups: Mapping[str, Sequence[str]]) -> list[Place]:
    """The places that a name of a module stands for, besides the statements of the module that define it."""
    if name == IMPORTED:
        return []
    if name == EVERYTHING:
        imported = [place for places in module.imports.values() for place in places if place[1] != EVERYTHING]
        return [
            *((module.name, defined) for defined in module.definitions),
            *((submodule, EVERYTHING) for submodule in submodules(module.path)),
            *imported,
        ]
    if name.startswith(LOOKED_UP):
        found = lookups.get(f"{module.name}.{name.removeprefix(LOOKED_UP)}", [EVERYTHING])
        return [(module.name, one) for one in found]
    if "." in name:
        return follow_attributes(module, name)
    if name in module.imports:
        return list(module.imports[name])
    if name in module.definitions:
        return []
    submodule = f"{module.name}.{name}"
    return [(module.name if module_file(submodule) is None else submodule, EVERYTHING)]


@functools.cache
def module_file(name: str) -> Path | None:
    """The file of a module of this program, None for a module from elsewhere.

    For a package without an `__init__.py`, which Python calls a namespace package, it is the folder.
    """
    path = SCRIPTS.joinpath(*name.split("."))
    return next(filter(Path.is_file, [path.with_suffix(".py"), path / "__init__.py"]), path if path.is_dir() else None)


def submodules(path: Path) -> list[str]:
    """The modules directly in a package, whose `__init__.py` or folder is given; none for another module's file."""
    if path.is_file() and path.stem != "__init__":
        return []
    folder = path if path.is_dir() else path.parent
    inside = [file for file in folder.iterdir() if file.suffix == ".py" or (file.is_dir() and file.name.isidentifier())]
    return sorted(dotted_name(file) for file in inside if file.stem not in ("__init__", "__pycache__"))


def dotted_name(path: Path) -> str:
    """The dotted name of a file of this program."""
    return ".".join(path.relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def read_module(path: Path) -> Module:
    """Read a module and take it apart into its top-level statements."""
    try:
        source = "" if path.is_dir() else path.read_text(encoding="utf-8")
        tree = WithoutRemarks().visit(ast.parse(source))
    except SyntaxError as error:
        raise InputError(f"{path}, line {error.lineno}: no Python, {error.msg}; correct it") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no Python that can be read ({error}); correct it") from None
    name = dotted_name(path)
    telling = ast.Name | ast.Attribute | ast.Import | ast.ImportFrom
    mentions = {node: [part for part in ast.walk(node) if isinstance(part, telling)] for node in tree.body}
    # An import inside a function counts like one at the top of the file. The code behind an imported name counts for
    # the statements that use the name.
    imports = {}
    for parts in mentions.values():
        for part in parts:
            for bound, target in imported_names(part, name):
                imports.setdefault(bound, set()).add(target)
    defined = {bound for node in tree.body for bound in defined_names(node)}
    module = Module(name, path, {}, imports, [])
    for node, parts in mentions.items():
        uses, foreign = find_uses(parts, name, defined, imports)
        if any(FINDING_NAMES & names_in(part) for part in parts):
            uses.update((name, LOOKED_UP + bound) for bound in defined_names(node) or [EVERYTHING])
        text = "" if isinstance(node, ast.Import | ast.ImportFrom) else ascii((outline(node), sorted(foreign)))
        statement = Statement(text, frozenset(uses))
        for bound in defined_names(node):
            module.definitions.setdefault(bound, []).append(statement)
        if may_act(node):
            module.running.append(statement)
    return module


def find_uses(parts: list[ast.AST], module: str, defined: set[str], imports: dict) -> tuple[set, set]:
    """What the names and imports of a statement may stand for.

    Args:
        parts: the names, attributes and imports of the statement.
        module: name of the module that it stands in.
        defined: the names that the module defines.
        imports: the places that its imported names stand for.

    Returns:
        Places in this program; and what comes from elsewhere, as triples of the name here, the module and the name
        there.
    """
    uses, foreign, followed = set(), set(), set()
    for part in parts:
        if FINDING_MODULES & names_in(part):
            uses.update((dotted_name(path), EVERYTHING) for path in SCRIPTS.rglob("*.py"))
        if isinstance(part, ast.Import | ast.ImportFrom):
            uses.update((loaded, IMPORTED) for loaded in imported_modules(part, module))
            if isinstance(part, ast.ImportFrom) and part.names[0].name == "*":
                uses.add((import_source(part, module), EVERYTHING))
            continue
        if part in followed:
            continue
        # `ast.walk` gives the whole of `fercv.wing.module.name` first, then its parts. The whole covers the parts.
        nodes, attributes = attribute_chain(part)
        followed.update(nodes)
        if not isinstance(nodes[-1], ast.Name):
            continue
        mentioned = nodes[-1].id
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


def names_in(part: ast.AST) -> set[str]:
    """The names that a node mentions. An import counts by the names that it takes, not by the names it gives them."""
    if isinstance(part, ast.ImportFrom):
        return {alias.name for alias in part.names}
    return {getattr(part, "id", None) or getattr(part, "attr", "")}


def attribute_chain(node: ast.Name | ast.Attribute) -> tuple[list[ast.AST], list[str]]:
    """Take `a.b.c` apart: its nodes from the outermost to what stands before the first dot, and the names after it."""
    nodes, attributes = [node], []
    while isinstance(nodes[-1], ast.Attribute):
        attributes.insert(0, nodes[-1].attr)
        nodes.append(nodes[-1].value)
    return nodes, attributes


def name_in_module(module: str, attributes: Sequence[str]) -> Place:
    """The place that attributes of a module stand for; EVERYTHING of a module where they end at one."""
    for number, attribute in enumerate(attributes):
        if module_file(f"{module}.{attribute}") is None:
            return module, ".".join(attributes[number:])
        module = f"{module}.{attribute}"
    return module, EVERYTHING


def follow_attributes(module: Module, name: str) -> list[Place]:
    """The places that `name.attribute` of a module stands for: where the name is defined, or in what it imports."""
    first, *attributes = name.split(".")
    found = [(module.name, first)] if first in module.definitions or first not in module.imports else []
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

    `ast.dump` would not do: which empty fields it shows depends on Python's version. `ast.unparse` would not do either:
    since 3.12 it quotes f-strings in another way.
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
    """Whether a statement may do more than define a name. Then it counts for everyone who imports its module."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        decorators = [part.func if isinstance(part, ast.Call) else part for part in node.decorator_list]
        if not {ast.unparse(decorator) for decorator in decorators} <= PLAIN_DECORATORS:
            return True
        if isinstance(node, ast.ClassDef):
            return any(may_act(inner) for inner in node.body)
        return not calls_are_plain(*node.args.defaults, *filter(None, node.args.kw_defaults))
    if isinstance(node, ast.Assign | ast.AnnAssign):
        bound = [part for target in targets(node) for part in ast.walk(target) if isinstance(part, ast.expr)]
        return not (calls_are_plain(node) and all(isinstance(part, ast.Name | ast.Tuple) for part in bound))
    return not isinstance(node, ast.Pass)


def calls_are_plain(*nodes: ast.AST) -> bool:
    """Whether the nodes call nothing but PLAIN_CALLS."""
    called = {ast.unparse(part.func) for node in nodes for part in ast.walk(node) if isinstance(part, ast.Call)}
    return called <= PLAIN_CALLS


def targets(node: ast.stmt) -> list[ast.expr]:
    """What an assignment assigns to; nothing for any other statement."""
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign) else []


def imported_names(node: ast.AST, module: str) -> Iterator[tuple[str, Place]]:
    """What an import binds: pairs of the local name and the place that it stands for."""
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
    """The names of the modules that an import loads, with the packages above them."""
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
    """Takes out what only readers and users see: docstrings, log lines, the texts of InputErrors.

    It also takes out the empty texts that Python 3.12 alone puts into f-strings behind a nested format.
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
