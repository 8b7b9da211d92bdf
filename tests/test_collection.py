"""Bare ``pytest`` collects and times all tests as ``make test`` does."""

import ast
import collections
from pathlib import Path

TESTS = Path(__file__).parent
FILES = sorted(TESTS.rglob("*.py"))


def imported(path):
    """Top-level names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_tests_import_the_installed_package():
    """``host`` and ``calibration`` are folders that only ``-m`` finds, and would be second copies of modules."""
    wrong = {"host", "calibration", "tests"}
    assert [str(path) for path in FILES if wrong & set(imported(path))] == []


def test_no_two_test_files_have_one_name():
    """pytest imports them as modules of that name."""
    names = collections.Counter(path.name for path in FILES if path.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []


def test_what_numba_compiles_is_compiled_before_the_first_test():
    """Cold compilation would count against that test's time."""
    from numba.core.registry import CPUDispatcher

    import gr_jscc.channel.burst_finder
    import gr_jscc.modem.demodulator
    import gr_jscc.modem.ldpc

    modules = [gr_jscc.channel.burst_finder, gr_jscc.modem.demodulator, gr_jscc.modem.ldpc]
    for name in ("channel_estimation", "synchroniser", "header_cells", "rows", "phase", "tracking", "ldpc_decoder"):
        modules.append(__import__(f"gr_jscc.modem.{name}", fromlist=[name]))
    kernels = {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, CPUDispatcher) and value.py_func.__module__ == module.__name__
    }
    assert len(kernels) > 20
    # Those that others call are compiled into them.
    called = {name for kernel in kernels.values() for name in kernel.py_func.__code__.co_names}
    cold = [name for name, kernel in kernels.items() if not kernel.signatures]
    assert [name for name in cold if name.rpartition(".")[2] not in called] == []
