"""The test kit for codecs: ours pass, and whatever is broken in one thing is caught, in a line of its own."""

import json
import re
import shutil
from pathlib import Path

import pytest

from gr_jscc.codecs.base import CodecError
from gr_jscc.codecs.registry import CODECS
from gr_jscc.contract.apart import Apart
from gr_jscc.contract.check import FAILED, PASSED
from gr_jscc.contract.checks import CHECKS, run_checks
from gr_jscc.contract.subject import Subject
from gr_jscc.host.main import main

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("one_thread")]

ALL = {check.name for check in CHECKS}
FRESH = {"nothing but payload"}  # starts a process each time
SLOW = {*FRESH, "speed", "sweep worker"}
WEIGHTS = {"hjscc": "hjscc-cifar", "hjscc-feedback": "hjscc-cifar", "ntscc": "ntscc-cifar", "separation": "jpeg"}
SLOWER = {  # what their own tests hold, or what takes more than five seconds
    "hjscc": {*SLOW, "CBR", "power", "threads"},
    "hjscc-feedback": {*SLOW, "CBR", "power", "threads", "state"},
    "separation-capacity": {*SLOW, "CBR"},
}

BROKEN = {  # class → the check that it breaks, those that it breaks as well, and what the first one's line is like
    "Genie": ("two processes", {"state"}, "in another process .* differs at .* by up to .* grey levels"),
    "GenieInAFile": ("nothing but payload", {"state"}, "after another picture was encoded .* differs"),
    "GenieInBytes": ("power", (), "a photo, round 0: side_info is Told, not bytes"),
    "Loud": ("power", (), r"a photo, round 0: mean power 1\.1$"),
    "Infinite": ("power", (), "black, round 0: 1 symbols are not finite"),
    "Greedy": ("CBR", (), r"\d+x\d+ at CBR 0\.\d+: \d+ symbols, 1 more than the \d+ that this allows"),
    "Pushy": ("CBR", (), "check_size and check_picture let it pass, start refuses it: a .* picture is too small"),
    "Crashing": ("CBR", (), r"\d+x\d+ at CBR .*broken.py, line \d+: IndexError"),
    "Limitless": ("unserved CBR", (), r"transmitter\(0\) is not refused; cbr_range is 0.01 to 0.1667"),
    "Rude": ("unserved CBR", (), r"transmitter\(0\), which it does not serve: .*broken.py, line \d+: ValueError: no"),
    "Inventive": ("link", (), "round 0 of a 80x48 picture on the link: .*line"),
    "Trusting": ("side information", (), r"round 0 with side information cut to 1 of 6 bytes: .*broken.py, line"),
    "NeedsSideInfo": ("side information", (), r"side information lost \(None\): .*broken.py, line \d+: TypeError"),
    "Fragile": ("losses", (), r"round 0 of which nothing arrived: .*broken.py, line \d+: IndexError: nothing arrived"),
    "Black": ("losses", (), "with nothing arrived the picture after round 0 is not the plain grey one"),
    "Gloomy": ("losses", (), "shows_grey is set, and the picture is not grey"),
    "Dithered": ("determinism", {"threads", "state"}, "encoded again: other side information in round 0"),
    "Threaded": ("threads", (), "while another thread encodes: "),
    "Leftover": ("state", (), "decoded after another picture .* differs"),
    "Endless": ("feedback", (), "with what arrived as feedback there are more than 64 rounds"),
    "Expectant": ("feedback", (), r"next, with half a round as feedback: .*broken.py, line \d+: ValueError: feed"),
    "Scribbler": ("input", (), "960 values of the picture were changed"),
    "Floating": ("output", {"side information", "losses"}, r"push returns float32\[48, 80, 3\], not uint8\[48, "),
    "Padded": ("output", {"side information", "losses", "quality"}, r"push returns uint8\[50, 80, 3\], not uint8\[48"),
    "Reusing": ("output", (), "a picture that was handed out changed with a later push"),
    "Shuffled": ("quality", (), "hardly better than plain grey: .* dB at 40 dB, .* dB at 0 dB, plain grey"),
    "Anonymous": ("identity", (), "weights_hash must be four bytes, not b'toolong'"),
    "PerProcess": ("identity", {"sweep worker"}, "weights_hash is .* here and .* in another process"),
    "Unreportable": ("sweep worker", (), "the cell fails: AttributeError: 'str' object has no attribute 'blind_from'"),
    "Stubborn": ("a photo", (), r"encoding a photo: .*broken.py, line \d+: LinAlgError: Singular matrix"),
}
WHICHEVER_IS_FIRST = {"Genie", "GenieInAFile", "Leftover"}  # of two threads, sometimes the wrong one


@pytest.fixture(scope="module")
def apart():
    """One other process for all tests here."""
    with Apart() as apart:
        yield apart


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where the broken codecs are, and may leave files."""
    folder = tmp_path_factory.mktemp("broken")
    shutil.copy(Path(__file__).with_name("broken.py"), folder)
    return f"{folder}/broken.py"


def verdicts_of(subject, without):
    return list(run_checks(subject, [check for check in CHECKS if check.name not in without]))


def failures(verdicts):
    return {verdict.check.name: verdict.detail for verdict in verdicts if verdict.result == FAILED}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_caught_in_its_own_line(place, apart, name):
    own, others, line = BROKEN[name]
    expected = {own, *others}
    failed = failures(verdicts_of(Subject(f"{place}:{name}", apart=apart), FRESH - expected))
    assert expected <= set(failed) <= expected | ({"threads"} if name in WHICHEVER_IS_FIRST else set())
    assert re.search(line, failed[own]) and "\n" not in failed[own]


def test_every_check_catches_something_that_is_broken():
    caught = {own for own, _, _ in BROKEN.values()}
    assert ALL - caught == {"CPU and GPU", "speed"}, "these need a GPU, and a network that ships"
    assert all(check.holds and check.remedy for check in CHECKS) and len(ALL) == len(CHECKS)


def test_a_codec_that_keeps_the_contract_passes_all_of_it(place, apart):
    verdicts = verdicts_of(Subject(f"{place}:Tiles", apart=apart), ())
    assert failures(verdicts) == {}
    passed = {verdict.check.name for verdict in verdicts if verdict.result == PASSED}
    assert ALL - passed <= {"CPU and GPU", "speed"}


@pytest.mark.parametrize("name", CODECS)
def test_the_codecs_that_ship_keep_the_contract(apart, name):
    subject = Subject(name, WEIGHTS.get(name, ""), apart=apart)
    assert failures(verdicts_of(subject, SLOWER.get(name, SLOW))) == {}


def test_a_cbr_can_be_chosen_and_one_that_is_not_served_is_refused(place, apart):
    (verdict,) = run_checks(Subject(f"{place}:Tiles", cbr=1 / 12, apart=apart), CHECKS[:1])
    assert "at CBR 0.08333" in verdict.detail
    with pytest.raises(CodecError, match="supports a CBR"):
        Subject("deepjscc", cbr=0.5, apart=apart)
    with pytest.raises(CodecError, match="256x128 picture is too small"):
        Subject(f"{place}:Sizeless", apart=apart)


def program(capsys, *arguments):
    """Exit code, standard output and standard error of ``gr-jscc check-codec``."""
    with pytest.raises(SystemExit) as ended:
        main(["check-codec", *arguments])
    return ended.value.code, *capsys.readouterr()


def test_the_program_passes_a_good_codec(place, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = program(capsys, f"{place}:Tiles")
    assert code == 0 and out.count("passed") == len(ALL) - 2 + 1 and "failed" not in out


def test_the_program_says_what_fails_and_how_to_mend_it(place, capsys):
    code, out, _ = program(capsys, f"{place}:Stubborn")
    assert code == 1 and "Singular matrix" in out.replace("\n", "") and "To mend it, " in out
    code, out, err = program(capsys, f"{place}:Stubborn", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1 and err == "" and [line["check"] for line in lines] == [check.name for check in CHECKS]
    assert lines[0]["result"] == "failed" and lines[0]["remedy"] and lines[1]["result"] == "skipped"


@pytest.mark.parametrize("arguments", [["nosuch"], ["{}:Sizeless"], ["{}:Tiles", "--cbr", "1/2"], ["{}:Nothing"]])
def test_what_cannot_be_tried_is_told_in_one_line(place, capsys, arguments):
    code, out, err = program(capsys, *(argument.format(place) for argument in arguments))
    assert code == 2 and out == "" and len(err.splitlines()) == 1
