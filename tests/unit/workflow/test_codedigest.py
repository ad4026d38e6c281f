import ast
import os
import shutil
import subprocess
import sys

import pytest
from helpers import REPOSITORY

from fercv.workflow import codedigest
from fercv.workflow.codedigest import code_digest

# A script and its modules. They are so small that a reader sees at once which code uses which.
FILES = {
    "script.py": """
from fercv import helper
from fercv.shelf import look_up
print(helper.used(1), look_up("one"))
""",
    "fercv/__init__.py": "",
    "fercv/helper.py": """
import numpy as np
from fercv.deep import FACTOR
from fercv.elsewhere import sin, xp
from fercv.workflow import jobs
from fercv import other
log = logging.getLogger()
def used(x):
    'Doc.'
    log.info("used %s", x)
    if x < 0:
        raise InputError(f"{x} is below zero")
    return np.abs(x) * FACTOR + sin(x) * xp.pi
def unused(x):
    return other.name(x)
""",
    "fercv/deep.py": """
FACTOR = 2
OTHER = 3
""",
    "fercv/other.py": """
import fercv.acting
def name(x):
    return x
""",
    "fercv/acting.py": """
SETTINGS = {}
SETTINGS["x"] = 1
def never_called():
    return 1
""",
    "fercv/shelf.py": """
def look_up(name):
    return globals()[name]()
def one():
    return part()
def two():
    return 2
def part():
    return 1
""",
    "fercv/elsewhere.py": """
import numpy as xp
from math import sin
""",
    "fercv/workflow/__init__.py": "",
    "fercv/workflow/jobs.py": "def run(): return 1\n",
}


# Modules of fercv.workflow on which no result depends.
WORKING = ("codedigest", "errors", "finished", "jobs", "keeping", "locks", "messages")


def forget():
    codedigest.read_module.cache_clear()
    codedigest.module_file.cache_clear()


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The program of FILES in a folder of its own."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(codedigest, "SCRIPTS", tmp_path)
    forget()
    yield tmp_path
    forget()


def edit(program, name, old, new):
    text = (program / name).read_text()
    assert old in text
    (program / name).write_text(text.replace(old, new))
    forget()


def changes(program, edits, **keywords):
    before = code_digest("script", **keywords)
    for change in edits:
        edit(program, *change)
    return code_digest("script", **keywords) != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", "helper.used(1)", "helper.used(2)"),
        ("fercv/helper.py", "* FACTOR", "+ FACTOR"),
        ("fercv/helper.py", "x < 0", "x < 1"),
        ("fercv/helper.py", 'log.info("used %s", x)', 'page.info("used %s", x)'),
        ("fercv/helper.py", 'log.info("used %s", x)', 'x.page.info("used %s", x)'),
        ("fercv/helper.py", "import numpy as np", "import jax.numpy as np"),
        ("fercv/helper.py", "from fercv.deep import FACTOR", "from fercv.deep import OTHER as FACTOR"),
        ("fercv/deep.py", "FACTOR = 2", "FACTOR = 3"),
        ("fercv/deep.py", "OTHER = 3", "OTHER = 3\nFACTOR = FACTOR + 1"),
        ("fercv/deep.py", "OTHER = 3", "OTHER = 3\nFACTOR += 1"),
        ("fercv/acting.py", '["x"] = 1', '["x"] = 2'),
        ("fercv/__init__.py", "", "import warnings; warnings.simplefilter('ignore')\n"),
        ("fercv/shelf.py", "return part()", "return part() + 1"),
        ("fercv/shelf.py", "return 1", "return 3"),
        ("fercv/shelf.py", "return 2", "return 3"),
        ("fercv/shelf.py", "def two", "@register\ndef two"),
        ("fercv/deep.py", "OTHER = 3", "OTHER = np.random.seed(3)"),
        ("fercv/elsewhere.py", "import numpy as xp", "import cupy as xp"),
        ("fercv/elsewhere.py", "from math import sin", "from math import cos as sin"),
    ],
)
def test_what_the_script_uses_counts(program, name, old, new):
    assert changes(program, [(name, old, new)])


def test_of_a_module_with_annotated_constants_only_those_in_use_count(program):
    edit(program, "fercv/deep.py", "FACTOR = 2\nOTHER = 3", "FACTOR: int = 2\nOTHER: int = 3")
    assert changes(program, [("fercv/deep.py", "int = 2", "int = 4")])
    assert not changes(program, [("fercv/deep.py", "int = 3", "int = 5")])


def test_what_runs_in_the_packages_above_a_module_counts(program):
    for name, text in (WING | {"script.py": "import fercv.wing.room.shelf as s\nprint(s.f())"}).items():
        (program / name).parent.mkdir(parents=True, exist_ok=True)
        (program / name).write_text(text)
    forget()
    for package in ("fercv", "fercv/wing", "fercv/wing/room"):
        assert changes(program, [(f"{package}/__init__.py", "", "import warnings; warnings.simplefilter('ignore')\n")])


@pytest.mark.parametrize(
    "finder",
    [
        "from importlib import import_module as load\nprint(load('fercv.helper').unused(1))",
        "from sys import modules as known\nprint(known['fercv.helper'].unused(1))",
        "import runpy\nprint(runpy.run_module('fercv.helper')['unused'](1))",
        "import runpy\nprint(runpy.run_path('fercv/helper.py')['unused'](1))",
        "print(__import__('fercv.helper').helper.unused(1))",
        "import pkgutil\nprint(pkgutil.resolve_name('fercv.helper:unused')(1))",
    ],
)
def test_who_looks_modules_up_uses_them_all(program, finder):
    (program / "script.py").write_text(finder)
    forget()
    assert changes(program, [("fercv/helper.py", "return other.name(x)", "return x")])


@pytest.mark.parametrize(
    "look_up",
    [
        "globals()[name]()",
        "locals()[name]()",
        "vars()[name]()",
        "eval(f'{name}()')",
        "exec(f'{name}()')",
    ],
)
def test_who_looks_names_up_uses_the_whole_module(program, look_up):
    (program / "fercv/shelf.py").write_text(FILES["fercv/shelf.py"].replace("globals()[name]()", look_up))
    forget()
    assert changes(program, [("fercv/shelf.py", "return 2", "return 3")])


@pytest.mark.parametrize(
    ("imports", "look_up"),
    [("import builtins", "builtins.globals()[name]()"), ("from builtins import globals as g", "g()[name]()")],
)
def test_who_looks_names_up_by_an_imported_function_uses_the_whole_module(program, imports, look_up):
    shelf = FILES["fercv/shelf.py"].replace("globals()[name]()", look_up)
    (program / "fercv/shelf.py").write_text(f"{imports}\n{shelf}")
    forget()
    assert changes(program, [("fercv/shelf.py", "return 2", "return 3")])


def test_who_looks_names_up_uses_what_the_module_imports(program):
    (program / "fercv/shelf.py").write_text("from fercv.deep import OTHER\n" + FILES["fercv/shelf.py"])
    forget()
    assert changes(program, [("fercv/deep.py", "OTHER = 3", "OTHER = 4")])


LAZY = """
def __getattr__(name):
    return 1
"""


@pytest.mark.parametrize(
    ("script", "reached", "unreached"),
    [
        ("from fercv import deep\nprint(deep.FACTOR.real)", ["deep.py FACTOR = 2"], ["deep.py OTHER = 3"]),
        ("from fercv import helper\nprint(helper.FACTOR.real)", ["deep.py FACTOR = 2"], ["deep.py OTHER = 3"]),
        ("from fercv.lazy import ANY\nprint(ANY)", ["lazy.py return 1"], []),
        ("from fercv import lazy\nprint(lazy.ANY.real)", ["lazy.py return 1"], []),
    ],
)
def test_what_an_attribute_belongs_to_counts(program, script, reached, unreached):
    """A name that a module does not define may come from any of its code, for instance from `__getattr__`."""
    (program / "script.py").write_text(script)
    (program / "fercv/lazy.py").write_text(LAZY)
    forget()
    for places, expected in [(reached, True), (unreached, False)]:
        for place in places:
            name, _, old = place.partition(" ")
            assert changes(program, [(f"fercv/{name}", old, f"{old}7")]) is expected, place


def test_files_that_are_no_modules_do_not_count(program):
    (program / "script.py").write_text("import fercv\nprint(vars(fercv))")
    forget()
    before = code_digest("script")
    for name in ("NOTES", "table.csv", "__pycache__/deep.py", "not-a-name/deep.py"):
        (program / "fercv" / name).parent.mkdir(exist_ok=True)
        (program / "fercv" / name).write_text("OTHER = 4")
    forget()
    assert code_digest("script") == before
    (program / "fercv/name.py").write_text("OTHER = 4")
    forget()
    assert code_digest("script") != before


def test_the_text_of_an_f_string_counts(program):
    (program / "script.py").write_text("x = 1\nprint(f'{x} of {x:{x}}')")
    forget()
    assert changes(program, [("script.py", " of ", " from ")])
    assert changes(program, [("script.py", "x:{x}", "x:>{x}")])


def test_an_empty_text_in_an_f_string_which_only_python_3_12_has_does_not_count():
    parsed = ast.parse("f'{x:{y}} z'")
    filled = ast.parse("f'{x:{y}} z'")
    filled.body[0].value.values[0].format_spec.values.append(ast.Constant(""))
    outlines = [codedigest.outline(codedigest.WithoutRemarks().visit(tree)) for tree in (parsed, filled)]
    assert outlines[0] == outlines[1]
    assert "z" in str(outlines[0])


def test_an_update_that_leaves_a_rules_code_alone_keeps_its_digest(program):
    """If this digest changes, all results of all users are made again. CHANGELOG must then say so."""
    assert code_digest("script") == "f30d41f4f5dd4edc2e870f64cdada432"


@pytest.mark.parametrize(
    "acting",
    [
        "class Register:\n    KNOWN.append(never_called())",
        "def register(x=KNOWN.append(never_called())): pass",
        "def register(*, x=KNOWN.append(never_called())): pass",
        "@KNOWN.append\ndef known():\n    return never_called()",
        "(SETTINGS['y'], z) = (never_called(), 1)",
        *(
            f"OTHER = {call}(never_called)"
            for call in ("register", "open", "setattr", "delattr", "eval", "exec", "globals", "__import__")
        ),
    ],
)
def test_a_definition_that_acts_when_it_is_imported_counts(program, acting):
    (program / "fercv/acting.py").write_text(f"{FILES['fercv/acting.py']}{acting}\n")
    forget()
    assert changes(program, [("fercv/acting.py", "return 1", "return 2")])


WING = {
    "fercv/wing/__init__.py": "",
    "fercv/wing/module.py": "def f():\n    return 1\ndef g():\n    return 2\n",
    # As fercv.engine.backend chooses among the files of the backends.
    "fercv/wing/chosen.py": """
if BACKEND == "one":
    from fercv.wing import module as native
else:
    from fercv.wing.room import shelf as native
""",
    "fercv/wing/room/__init__.py": "",
    "fercv/wing/room/shelf.py": "def f():\n    return 1\n",
}


@pytest.mark.parametrize("kind", ["package", "namespace package"])
@pytest.mark.parametrize(
    ("script", "reached", "unreached"),
    [
        ("import fercv.wing.module\nprint(fercv.wing.module.f())", ["wing/module.py 1"], ["wing/module.py 2"]),
        ("import fercv.wing.module as m\nprint(m.f())", ["wing/module.py 1"], ["wing/module.py 2"]),
        ("import fercv.wing as w\nprint(w.module.f(), w.room.shelf.f())", ["wing/module.py 1"], ["wing/module.py 2"]),
        ("from fercv import wing\nprint(wing.module.f())", ["wing/module.py 1"], ["wing/module.py 2"]),
        ("from fercv.wing import module\nprint(module.f())", ["wing/module.py 1"], ["wing/module.py 2"]),
        ("from fercv.wing.module import f\nprint(f())", ["wing/module.py 1"], ["wing/module.py 2"]),
        ("import fercv.wing.room.shelf\nprint(fercv.wing.room.shelf.f())", ["wing/room/shelf.py 1"], []),
        (
            "from fercv.wing.chosen import native\nprint(native.f())",
            ["wing/module.py 1", "wing/room/shelf.py 1"],
            ["wing/module.py 2"],
        ),
        (
            "from fercv.wing import chosen as c\nprint(c.native.f())",
            ["wing/module.py 1", "wing/room/shelf.py 1"],
            ["wing/module.py 2"],
        ),
        ("import fercv.wing.module\nprint(vars(fercv.wing.module))", ["wing/module.py 1", "wing/module.py 2"], []),
        ("import fercv.wing.module\nprint(vars(fercv.wing))", ["wing/module.py 2", "wing/room/shelf.py 1"], []),
        ("import fercv.wing.module\nprint(getattr(fercv.wing, x).f())", ["wing/module.py 1"], []),
    ],
)
def test_a_module_in_a_package_is_followed_however_it_is_imported(program, kind, script, reached, unreached):
    """Each place is a file and the number that its function returns. A namespace package has no `__init__.py`."""
    for name, text in (WING | {"script.py": script}).items():
        if kind == "namespace package" and name.endswith("__init__.py"):
            continue
        (program / name).parent.mkdir(parents=True, exist_ok=True)
        (program / name).write_text(text)
    forget()
    for places, expected in [(reached, True), (unreached, False)]:
        for place in places:
            name, number = place.split()
            assert changes(program, [(f"fercv/{name}", f"return {number}", "return 3")]) is expected, place


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", "\nprint(", "\n# A comment.\n\n\nprint( "),
        ("script.py", "from fercv import helper", "from fercv import (\n    helper,\n)"),
        ("fercv/helper.py", "'Doc.'", '"""Another docstring."""'),
        ("fercv/helper.py", "    'Doc.'\n", ""),
        ("fercv/helper.py", '"used %s", x', '"used: %s", x'),
        ("fercv/helper.py", "is below zero", "is less than nothing"),
        ("fercv/helper.py", "import numpy as np\n", "import pandas as pd\nimport numpy as np\n"),
        ("fercv/helper.py", "return other.name(x)", "return 1"),
        ("fercv/other.py", "return x", "return 2 * x"),
        ("fercv/deep.py", "FACTOR = 2\nOTHER = 3", "OTHER = 3\nFACTOR = 2"),
        ("fercv/deep.py", "OTHER = 3", "OTHER = 4"),
        ("fercv/acting.py", "return 1", "return 2"),
        ("fercv/deep.py", "OTHER = 3", "class Other(NamedTuple):\n    value: int = 3\n    def add(self): return OTHER"),
        ("fercv/helper.py", "def unused", "def wrong():\n    return InputError('x')\ndef unused"),
        ("fercv/workflow/jobs.py", "return 1", "return 2"),
    ],
)
def test_what_it_does_not_use_or_only_reads_or_says_changes_nothing(program, name, old, new):
    assert not changes(program, [(name, old, new)])


@pytest.mark.parametrize("name", ["engine.leases", *(f"workflow.{name}" for name in WORKING)])
def test_modules_that_only_say_wait_or_choose_do_not_count(program, name):
    path = program / "fercv" / f"{name.replace('.', '/')}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text("def work(): return 1\n")
    (program / "script.py").write_text(f"from fercv.{name} import work\nprint(work())")
    forget()
    assert not changes(program, [(f"fercv/{name.replace('.', '/')}.py", "return 1", "return 2")])


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "exception"])
def test_log_lines_of_every_level_do_not_count(program, level):
    edit(program, "fercv/helper.py", "log.info", f"log.{level}")
    assert not changes(program, [("fercv/helper.py", '"used %s", x', '"used: %s", x')])


@pytest.mark.parametrize(
    "decorator",
    ["cache", "functools.cache", "lru_cache", "functools.lru_cache(2)", "contextmanager", "contextlib.contextmanager",
     "dataclass", "dataclasses.dataclass", "style.context({})", "property", "classmethod", "staticmethod"],
)  # fmt: skip
def test_a_decorator_that_only_returns_something_does_not_make_a_definition_count(program, decorator):
    assert not changes(program, [("fercv/other.py", "def name", f"@{decorator}\ndef name")])


@pytest.mark.parametrize(
    "call",
    ["frozenset({3})", "Path('x')", "re.compile('x')", "logging.getLogger('x')", "np.array([3])", "field()"],
)
def test_a_call_that_only_returns_something_does_not_make_a_constant_count(program, call):
    assert not changes(program, [("fercv/deep.py", "OTHER = 3", f"OTHER = {call}")])


@pytest.mark.parametrize(
    ("old", "new", "counts"), [("return part()", "return part() + 1", True), ("return 1", "return 3", True),
                               ("return 2", "return 3", False)]
)  # fmt: skip
def test_of_what_is_looked_up_only_what_the_rule_tells_counts(program, old, new, counts):
    assert changes(program, [("fercv/shelf.py", old, new)], lookups={"fercv.shelf.look_up": ["one"]}) == counts


@pytest.mark.parametrize(
    "use",
    [
        "import fercv.deep\nprint(fercv.deep.OTHER)",
        "import fercv.deep as d\nprint(d.OTHER)",
        "from fercv import deep as d\nprint(d.OTHER)",
        "from fercv import deep\nprint(getattr(deep, 'OT' + 'HER'))",
        "from fercv.deep import OTHER as o\nprint(o)",
        "from fercv.deep import *\nprint(OTHER)",
        "def f():\n    from fercv.deep import OTHER\n    return OTHER\nprint(f())",
        "from fercv.inside import OTHER\nprint(OTHER)",
        "from fercv.package import OTHER\nprint(OTHER)",
        "from fercv.star import OTHER\nprint(OTHER)",
        "import fercv.package.within\nprint(fercv.package.within.OTHER)",
        "import fercv.other\nprint(fercv.deep.OTHER)",
        "import fercv\nprint(fercv.deep.OTHER)",
        "import importlib\nprint(importlib.import_module('fercv.' + 'deep').OTHER)",
        "import sys\nprint(getattr(sys.modules['fercv.' + 'deep'], 'OTHER'))",
    ],
)
def test_every_form_of_import_is_followed(program, use):
    (program / "fercv/inside.py").write_text("from .deep import OTHER\nfrom . import deep\n")
    (program / "fercv/star.py").write_text("from .deep import *\n")
    (program / "fercv/package").mkdir()
    (program / "fercv/package/__init__.py").write_text("from .within import OTHER\n")
    (program / "fercv/package/within.py").write_text("from ..deep import OTHER\n")
    (program / "script.py").write_text(use)
    forget()
    assert changes(program, [("fercv/deep.py", "OTHER = 3", "OTHER = 4")])


def test_the_place_of_the_program_does_not_count(program, tmp_path_factory, monkeypatch):
    before = code_digest("script")
    moved = tmp_path_factory.mktemp("moved") / "copy"
    shutil.copytree(program, moved)
    monkeypatch.setattr(codedigest, "SCRIPTS", moved)
    forget()
    assert code_digest("script") == before


def digests_by(python):
    """Digests of this program's scripts, as another Python finds them."""
    code = (
        "from pathlib import Path; from fercv.workflow.codedigest import code_digest\n"
        "for path in sorted(Path('scripts').glob('*.py')): print(path, code_digest(path.stem))"
    )
    environment = os.environ | {"PYTHONPATH": "scripts"}
    done = subprocess.run([python, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_python_finds_the_same_digests(version):
    """A new virtual environment of another Python retrains nothing."""
    other = digests_by(f"python{version}")
    if other is None:
        pytest.skip(f"no python{version} here")
    assert other == digests_by(sys.executable)


def test_log_is_the_logger_in_every_module():
    """Its lines are left out of the digest."""
    for path in (REPOSITORY / "scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name) and node.id == "log" and isinstance(node.ctx, ast.Store):
                assert 'log = logging.getLogger("fercv")' in path.read_text(encoding="utf-8"), path


def test_a_script_that_is_not_there_has_no_digest(program):
    with pytest.raises(FileNotFoundError, match=r"no script scirpt\.py"):
        code_digest("scirpt")


ALLOWED = {"ast", "builtins", "collections.abc", "difflib", "functools", "hashlib", "logging", "pathlib", "sys"}
ALLOWED |= {"traceback", "typing"}
# For choosing among GPUs that are alike, waiting for another process, and removing checkpoints that nobody needs.
ALLOWED |= {"base64", "contextlib", "filelock", "os", "re", "shutil", "socket", "subprocess", "tempfile", "time"}
# For finding the config file that a message names, for telling how YAML reads a value, and for telling progress.
ALLOWED |= {"datetime", "json", "math", "yaml"}
# For ending at once on Ctrl-C, and for telling whether kept files and params have changed.
ALLOWED |= {"signal", "fercv.workflow.hashing"}


def test_the_modules_that_do_not_count_use_nothing_that_computes():
    """Their tasks, such as logging, waiting and leasing a GPU, need only the modules in ALLOWED."""
    for name in codedigest.WITHOUT_RESULTS:
        tree = ast.parse((codedigest.SCRIPTS / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8"))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert imported <= ALLOWED | codedigest.WITHOUT_RESULTS, name


def test_the_packages_of_the_library_hold_nothing_themselves():
    """Every module below would depend on what stands in an `__init__.py`."""
    for path in (codedigest.SCRIPTS / "fercv").rglob("__init__.py"):
        assert path.read_text(encoding="utf-8") == "", path
