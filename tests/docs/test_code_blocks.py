"""Every block of code in the pages: Python runs, commands are the real programs' with real options, TOML is read."""

import doctest
import json
import re
import shlex
import sys
from functools import cache

import numpy as np
import pytest
import typer
import yaml
from pages import PAGES, ROOT, blocks, code, without_blocks

from gr_jscc.channel.scenario import parse_scenario
from gr_jscc.data import demo_image
from gr_jscc.files.toml import tomllib
from gr_jscc.host.main import app, main
from gr_jscc.imaging import load_image, save_image
from gr_jscc.modem.numerology_file import parse_numerology
from gr_jscc.radio.profile import load_profile
from gr_jscc.sweeps.experiment import parse_experiment
from gr_jscc.sweeps.store import Store
from gr_jscc.training.recipe import load_recipe
from gr_jscc.training.tasks import network_of, task_of

TESTED = [page for page in PAGES if "weights" not in page.parts]
BLOCKS = [block for page in TESTED for block in blocks(page)]
LANGUAGES = {"sh", "python", "pycon", "toml", "yaml", "diff", "json", "text"}
# Programs that are not ours: their options are not looked at.
OTHERS = {"source", "sudo", "export", "scp", "rm", "git", "pip", "dask", "SoapySDRUtil", "uhd_images_downloader"}
OTHERS |= {"cmake", "journalctl", "python3"}
# Their code imports packages of others: their own tests run it with stand-ins.
WITH_STAND_INS = {"models-of-others.md"}
# Commands that take a moment only: these are run, in the order in which they stand here.
RUN = (
    "gr-jscc --help",
    "gr-jscc sweep --list",
    "gr-jscc keys make keys/",
    "gr-jscc loopback photo.jpg --snr 5 --ideal",
)


def of(language):
    return pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == language], ids=str)


@cache
def parser():
    """The command line of ``gr-jscc`` with programs that do nothing."""

    def idle(command):
        inner = getattr(command, "commands", {})
        for name in inner:
            idle(inner.whole(name) if hasattr(inner, "whole") else inner[name])
        if not hasattr(command, "commands"):
            command.callback = lambda **_: None
        return command

    return idle(typer.main.get_command(app))


def commands(text):
    """The commands of a block, each as its words; without comments, loops and variables that are set."""
    for line in text.replace("\\\n", " ").splitlines():
        words = []
        for word in [*shlex.split(line.replace(";", " ; "), comments=True), ";"]:
            if word in ("&&", "||", "|", ";"):
                yield words
                words = []
            elif word not in ("do", "done") and (words or not re.match(r"[A-Z_]+=", word)):
                words.append(word)


def check(words):
    """Whether a command is one that there is: raises what is wrong with it."""
    program, *rest = words
    if program == "gr-jscc":
        parser()(rest, prog_name="gr-jscc", standalone_mode=False)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in rest if "=" not in word} <= set(targets)
    elif program in ("python", "torchrun") and "-m" in rest:
        module, *arguments = rest[rest.index("-m") + 1 :]
        assert module.partition(".")[0] in ("host", "pytest")
        if module == "host":
            parser()(arguments, prog_name="gr-jscc", standalone_mode=False)
    elif program == "python":
        assert (ROOT / rest[0]).is_file()
    else:
        assert program in OTHERS or program == "for" or (ROOT / program).is_file(), program


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with what the pages' examples read: a photo, a folder of photos, samples, a sweep's store."""
    photo = load_image(demo_image())[:128, :192]
    (tmp_path / "photos").mkdir()
    for path in (tmp_path / "photo.jpg", tmp_path / "photos" / "one.png", tmp_path / "photos" / "two.png"):
        save_image(path, photo)
    np.ones(1000, np.complex64).tofile(tmp_path / "air.cf32")
    store = Store.create(tmp_path / "lab")
    store.append({"key": "0" * 16, "error": "", "psnr_db": 30.0})
    store.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # a codec's file adds its folder
    return tmp_path


@pytest.mark.parametrize("page", TESTED, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_say_what_they_are(page):
    assert {block.language for block in blocks(page)} <= LANGUAGES
    text = without_blocks(page)
    assert "```" not in text
    assert not re.search(r"^\n {4}\S", text, re.MULTILINE), "an indented block: fence it and say its language"


@of("sh")
def test_commands_are_there_and_take_these_options(block):
    found = [words for words in commands(block.text) if words]
    assert found
    for words in found:
        assert "…" not in words, "a command that cannot be copied"
        check(words)


@pytest.mark.parametrize(
    "line", ["gr-jscc tx a --no-such-option", "gr-jscc rx --snr x", "gr-jscc nothing", "make cake"]
)
def test_commands_that_are_not_there_are_found(line):
    (words,) = filter(None, commands(line))
    with pytest.raises(Exception, match=r"[Nn]o such|not a valid|<=|cake|Got unexpected"):
        check(words)


def test_quick_commands_run(folder, capsys):
    shown = {shlex.join(words) for block in BLOCKS if block.language == "sh" for words in commands(block.text)}
    for line in RUN:
        assert line in shown
        with pytest.raises(SystemExit) as end:
            main(shlex.split(line)[1:])
        assert end.value.code == 0, (line, capsys.readouterr().err)
    assert (folder / "received" / "photo" / "received.png").is_file()


@pytest.mark.parametrize(
    "page", [p for p in TESTED if p.name not in WITH_STAND_INS], ids=lambda page: str(page.relative_to(ROOT))
)
def test_python_runs(page, folder):
    """The blocks of a page one after the other, as one would type them."""
    names = {"__name__": "page"}
    for block in blocks(page):
        if block.language == "python":
            exec(compile("\n" * block.line + block.text, block.page, "exec"), names)
        elif block.language == "pycon":
            test = doctest.DocTestParser().get_doctest(block.text, names, str(block), block.page, block.line)
            assert doctest.DocTestRunner().run(test, clear_globs=False).failed == 0


@pytest.mark.parametrize("page", TESTED, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_within_the_text_take_these_options(page):
    """They may leave out arguments, and name options only."""
    for text in re.findall(r"`gr-jscc ([^`…]*)`", without_blocks(page)):
        try:
            check(["gr-jscc", *shlex.split(re.sub(r"\[.*?\]", "", text))])
        except Exception as error:
            told = getattr(error, "format_message", lambda: "")()
            assert re.search("Missing|requires an argument", told), (text, error)


@of("toml")
def test_toml_is_what_its_reader_takes(block, folder):
    values = tomllib.loads(block.text)
    if "schemes" in values:
        parse_experiment({**values, "name": "page"}, str(block))
    elif "codec" in values:
        (folder / "page.toml").write_text(block.text)
        if file := re.search(r'codec = "(\w+\.py):', block.text):  # which is what the page's blocks are
            (folder / file[1]).write_text(code(ROOT / block.page))
        recipe = load_recipe(folder / "page.toml")
        network_of(recipe, task_of(recipe))
    elif "fft_size" in values:
        parse_numerology(values, str(block))
    elif "device" in values:
        (folder / "page.toml").write_text(block.text)
        load_profile(folder / "page.toml")
    else:
        parse_scenario(values)


@of("yaml")
def test_yaml_describes_a_block(block):
    values = yaml.safe_load(block.text)
    assert values["id"].startswith("jscc_") and values["flags"] == ["python"] and values["file_format"] == 1
    assert {"parameters", "inputs", "outputs", "templates", "documentation"} <= values.keys()


@of("diff")
def test_changes_fit_the_file(block):
    """Its first line names the file; lines that a change leaves are there, in this order."""
    first, *lines = block.text.splitlines()
    text = (ROOT / first.removeprefix("+++ ")).read_text(encoding="utf-8")
    place = 0
    for line in (line[1:] for line in lines if line.startswith((" ", "-"))):
        place = text.index(line + "\n", place) + 1


@of("json")
def test_json_is_json(block):
    json.loads(block.text)
