"""Programs start quickly: what is asked for is loaded, and nothing else; shells complete, and waiting is explained."""

import gc
import io
import json
import os
import shlex
import subprocess
import sys
import time

import pytest
from typer.main import get_command

from gr_jscc.channel import Multipath
from gr_jscc.host import loading, main
from gr_jscc.host.bench import app as bench
from gr_jscc.modem import map_bits, numerology
from gr_jscc.on_demand import on_demand

HEAVY = {"torch", "gnuradio", "numba", "scipy", "matplotlib", "distributed"}
LOADED = (
    "import contextlib, io, json, sys\nfrom gr_jscc.host.main import main\n"
    "with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit): main(sys.argv[1:])\n"
    "assert shown.getvalue()\nprint(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
)


@pytest.mark.parametrize(
    "words, allowed",
    [
        ("--help", set()), ("--version", set()), ("keys --help", set()), ("bench --help", set()),
        ("models", {"numba", "scipy"}), ("rx --help", {"numba", "scipy"}), ("loopback --help", {"numba", "scipy"}),
    ],
)  # fmt: skip
def test_nothing_is_loaded_that_is_not_needed(words, allowed):
    run = subprocess.run([sys.executable, "-c", LOADED, *words.split()], capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    assert not HEAVY & set(json.loads(run.stdout)) - allowed


@pytest.mark.parametrize("app", [main.app, bench], ids=["gr-jscc", "bench"])
def test_outlines_say_what_the_programs_say(app):
    commands = get_command(app).commands
    for name in commands:
        whole = commands.whole(name)
        assert " ".join(whole.help.split("\n\n")[0].split()) == " ".join(commands[name].help.split()), name


def test_parts_of_packages_come_on_demand():
    assert map_bits.__module__ == "gr_jscc.modem.constellation" and callable(numerology)
    assert Multipath.__module__ == "gr_jscc.channel.fading"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        on_demand("gr_jscc.modem")("nothing")


ASK = {
    "bash": {"COMP_WORDS": "gr-jscc {}", "COMP_CWORD": "{}"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "gr-jscc {}"},
    "fish": {"_TYPER_COMPLETE_ARGS": "gr-jscc {}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}


@pytest.mark.parametrize("shell", ASK)
@pytest.mark.parametrize(
    "typed, offered, others",
    [
        ("re", {"replay", "report", "reproduce"}, {"rx"}),
        ("keys m", {"make"}, {"show"}),
        ("rx --codec h", {"hjscc", "hjscc-feedback"}, {"ntscc"}),
        ("rx --profile virtual", {"virtual-b210", "virtual-hackrf"}, {"hackrf"}),
        ("tx --weights ban", {"banana"}, {"ntscc-photo"}),
    ],
)
def test_shells_complete(monkeypatch, capsys, shell, typed, offered, others):
    monkeypatch.setenv("_GR_JSCC_COMPLETE", f"complete_{shell}")
    for name, text in ASK[shell].items():
        monkeypatch.setenv(name, text.format(typed if "WORDS" in name or "ARGS" in name else len(typed.split())))
    with pytest.raises(SystemExit) as ended:
        main.main([])
    words = set(capsys.readouterr().out.replace('"', " ").replace("\t", " ").split())
    assert ended.value.code == 0 and offered <= words and not others & words


def test_bash_takes_the_script(tmp_path):
    program = tmp_path / "gr-jscc"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m gr_jscc.host "$@"\n')
    program.chmod(0o755)
    script = (
        "source <(_GR_JSCC_COMPLETE=source_bash gr-jscc); COMP_WORDS=(gr-jscc mo); COMP_CWORD=1\n"
        '_gr_jscc_completion gr-jscc; echo "${COMPREPLY[*]}"; complete -p gr-jscc'
    )
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    run = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=100)
    assert run.stdout.splitlines() == ["models", "complete -o default -F _gr_jscc_completion gr-jscc"], run.stderr


@pytest.mark.parametrize("terminal", [True, False])
def test_waiting_is_explained_on_a_terminal(monkeypatch, terminal):
    shown = io.StringIO()
    shown.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(loading, "PATIENCE_SECONDS", 0.02)
    with loading.loading("at\nonce"):
        pass
    with loading.loading("ntscc"):
        time.sleep(0.2)
    assert shown.getvalue() == ("loading ntscc …\n" if terminal else "")


def test_nothing_is_searched_for_garbage_while_something_is_loaded():
    assert gc.isenabled()
    with pytest.raises(KeyError), loading.loading("ntscc"):
        with loading.loading("GNU Radio"):
            assert not gc.isenabled()
        assert not gc.isenabled(), "the inner one ends nothing"
        raise KeyError
    assert gc.isenabled()
