"""A digest of the code behind a rule, so that results follow what the code says and not when it was saved.

Snakemake judges a script by its modification time and the modules that it imports not at all. A rule that carries
`code_digest(its script)` among its params runs again exactly when a statement of its script, or of a library module
that the script imports directly or through others, has changed. Comments, docstrings and formatting don't count: what
is hashed is `ast.unparse` of the syntax tree, which, unlike `ast.dump`, is the same in Python 3.11, 3.12 and 3.13.
"""

import ast
import functools
import hashlib
from pathlib import Path

LIBRARY = Path(__file__).parent


def code_digest(script: Path) -> str:
    """Digest of a script and of every module of this library that it needs, 32 hexadecimal digits.

    Raises:
        SyntaxError: one of the files is not Python.
    """
    seen, waiting = {}, [Path(script)]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen[path], needed = statements_and_imports(path)
            waiting.extend(needed)
    parts = sorted((path.name, text) for path, text in seen.items())
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


@functools.cache
def statements_and_imports(path: Path) -> tuple[str, list[Path]]:
    """A file's statements as normalized text, and the files of this library that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    needed = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == LIBRARY.name:
            needed += [LIBRARY / f"{alias.name}.py" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{LIBRARY.name}."):
            needed.append(LIBRARY / f"{node.module.split('.')[1]}.py")
        elif isinstance(node, ast.Import):
            modules = [alias.name.split(".") for alias in node.names]
            needed += [LIBRARY / f"{parts[1]}.py" for parts in modules if parts[0] == LIBRARY.name and len(parts) > 1]
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [s for s in node.body if not is_docstring(s)] or [ast.Pass()]
    return ast.unparse(tree), needed


def is_docstring(statement: ast.stmt) -> bool:
    """Whether a statement is a bare text, which does nothing when it runs."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
