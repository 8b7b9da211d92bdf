"""Where things belong: which room may import which, who prints, who knows GNU Radio, and how large a file may be.

All of it is read from the files' syntax; nothing is imported.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "gr_jscc"
AT_THE_TOP = ("host", "calibration")  # folders of the checkout that are gr_jscc.host and gr_jscc.calibration

# Each may import itself and those above it; those in one line stand beside each other and know nothing of one another.
# What is no folder is a file of its own: ``errors`` is gr_jscc/errors.py.
ORDER = (
    # Ground. It knows no codec, no modem and no radio, and its own order is that of these lines.
    ("errors", "plain_text", "ratios", "home", "figures", "ports", "resident", "free_memory", "on_demand", "threads"),
    ("durations",),
    ("files", "plugins", "telling"),  # files that are whole, named and locked; what a person is told
    ("imaging", "plots", "metrics"),  # pictures, drawings, and what pictures are worth
    # Maths.
    ("modem", "nn"),
    ("channel", "weights", "data"),  # the channel finds the modem's bursts, to count them
    ("codecs", "datasets"),
    ("link",),  # carries codecs' rounds
    ("training", "video"),  # makes their weights, through a stand-in of the link too; moving pictures over the link
    # GNU Radio, and what a receiver writes.
    ("scheduler", "reports"),
    ("blocks", "radio"),
    ("grc", "recordings", "environment"),  # Companion's helpers; what the doctor looks at, radios' drivers too
    ("flowgraphs", "calibration"),
    # What is measured, and the programs.
    ("benchmarks", "sweeps", "banana"),  # the benchmark of calibration runs its procedures
    ("contract", "interface"),  # what is asked of codecs, in sweeps and for speed too; for those who write their own
    ("host",),
)
PLACE = {room: place for place, rooms in enumerate(ORDER) for room in rooms}
WITHOUT_GNURADIO = ("modem", "channel", "nn", "codecs", "training", "link", "reports", "video")
PARTS = "parts"  # of codecs, which all families may use
MOST_LINES = 350
MOST_PARAMETERS = 8
KERNELS = "modem"  # compiled functions take arrays, not objects
COMPANIONS = ("blocks", "flowgraphs")  # a block's parameters are the fields of its dialogue in Companion


def files_of(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


LIBRARY = files_of(PACKAGE, *AT_THE_TOP)
EVERYTHING = LIBRARY + files_of("scripts", "tests")


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path):
    return str(path.relative_to(ROOT))


def room_of(path):
    """The room of a file of the library; None for the package itself, which knows only where it lies."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] in AT_THE_TOP:
        return parts[0]
    return None if parts[1] == "__init__" else parts[1]


def home_of(module):
    """Where a module of ours lies: a file, or a package's folder; None where there is none."""
    parts = module.split(".")[1:]
    base = ROOT if parts and parts[0] in AT_THE_TOP else ROOT / PACKAGE
    path = base.joinpath(*parts)
    if path.with_suffix(".py").is_file() and parts:
        return path.with_suffix(".py")
    return path if path.is_dir() else None


def is_ours(module):
    return module == PACKAGE or module.startswith(PACKAGE + ".")


def imports_of(path):
    """(line, module, name or None) of all imports, lazy ones as well."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, "." * node.level + (node.module or ""), alias.name) for alias in node.names)


def imported_rooms(path):
    """(line, room) of all that a file imports of ours; names of the package itself are no room."""
    for line, module, name in imports_of(path):
        if is_ours(module):
            full = f"{module}.{name}" if module == PACKAGE else module
            if home_of(full) is not None and full != PACKAGE:
                yield line, full.split(".")[1]


@cache
def bound_in(path):
    """The names that a module binds; None where it makes them when it is asked for one, and lists none."""
    bound = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
    return None if "__getattr__" in bound and "__all__" not in bound else bound


def resolves(module, name):
    home = home_of(module)
    if home is None:
        return False
    if name in (None, "*") or home_of(f"{module}.{name}") is not None:
        return True
    file = home / "__init__.py" if home.is_dir() else home
    bound = bound_in(file) if file.is_file() else set()
    return bound is None or name in bound or name in ("__path__", "__file__")


def test_the_order_has_every_room_and_no_other():
    rooms = {room_of(path) for path in LIBRARY} - {None}
    assert set(PLACE) == rooms
    assert len(PLACE) == sum(map(len, ORDER))


def test_every_import_is_absolute_and_leads_somewhere():
    wrong = [
        f"{name_of(path)}:{line}: {module} {name or ''}"
        for path in EVERYTHING
        for line, module, name in imports_of(path)
        if module.startswith(".") or (is_ours(module) and not resolves(module, name))
    ]
    assert wrong == []


@pytest.mark.parametrize("missing", [(f"{PACKAGE}.nothing", None), (f"{PACKAGE}.files.whole", "half"), (PACKAGE, "no")])
def test_an_import_that_leads_nowhere_is_found(missing):
    assert not resolves(*missing)


def test_imports_run_down_the_order_only():
    wrong = [
        f"{name_of(path)}:{line}: {mine} imports {other}"
        for path in LIBRARY
        if (mine := room_of(path)) is not None
        for line, other in imported_rooms(path)
        if other != mine and PLACE[other] >= PLACE[mine]
    ]
    assert wrong == []


def test_the_library_calls_its_programs_by_their_one_name():
    """As ``gr_jscc.host``: under another name each module would be there twice in a process."""
    wrong = [
        f"{name_of(path)}:{line}"
        for path in LIBRARY
        for line, module, _ in imports_of(path)
        if module.split(".")[0] in AT_THE_TOP
    ]
    assert wrong == []


def test_families_of_codecs_know_nothing_of_each_other():
    folder = ROOT / PACKAGE / "codecs"
    families = {path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert PARTS in families
    wrong = []
    for path in folder.rglob("*.py"):
        family = path.relative_to(folder).parts[0]
        for line, module, name in imports_of(path):
            parts = f"{module}.{name}".split(".")
            if family in families and parts[:2] == [PACKAGE, "codecs"] and parts[2] in families - {family, PARTS}:
                wrong.append(f"{name_of(path)}:{line}: {module}")
    assert wrong == []


def test_the_maths_does_without_gnu_radio():
    wrong = [
        f"{name_of(path)}:{line}: {module}"
        for path in LIBRARY
        if room_of(path) in (*ORDER[0], *ORDER[1], *ORDER[2], *WITHOUT_GNURADIO)
        for line, module, _ in imports_of(path)
        if module.split(".")[0] in ("gnuradio", "pmt")
    ]
    assert wrong == []


def test_only_programs_print():
    wrong = [
        f"{name_of(path)}:{node.lineno}"
        for path in LIBRARY
        if room_of(path) != "host"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert wrong == []


def test_files_are_of_a_size_that_one_reads():
    wrong = {
        name_of(path): lines
        for path in LIBRARY + files_of("scripts")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert wrong == {}


def parameters_of(function):
    """How many there are, without a method's own object."""
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return len(given) - (bool(given) and given[0].arg in ("self", "cls"))


def test_functions_take_few_parameters():
    wrong = [
        f"{name_of(path)}:{node.lineno}: {node.name} takes {parameters_of(node)}"
        for path in LIBRARY
        if room_of(path) not in (KERNELS, "host")  # a program's function has a parameter for each of its options
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and parameters_of(node) > MOST_PARAMETERS
        if not (room_of(path) in COMPANIONS and node.name == "__init__")
    ]
    assert wrong == []
