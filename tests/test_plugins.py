"""Classes from outside: found where the user says, told in one line where that does not work."""

import os
import pickle
import re
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from gr_jscc import plugins
from gr_jscc.channel import Scenario, ScenarioError, load_scenario
from gr_jscc.codecs.base import CodecError
from gr_jscc.codecs.registry import codec_class, load_codec
from gr_jscc.radio.address import Kind, RadioError, kind_of, parse_radio
from gr_jscc.training.recipe import RecipeError, load_recipe
from gr_jscc.training.tasks import codec_name, task_of

TOY = """
from dataclasses import dataclass
import numpy as np
from gr_jscc.codecs.base import Codec, Payload, Receiver, Transmitter
from beside import LEVEL

@dataclass(frozen=True)
class ToyTask:
    strength: float = 1.0
    def build(self, network): pass
    def prepare(self, network, crops): pass
    def loss(self, network, images, generator): pass
    def validate(self, network, photos): return {}

class Toy(Codec):
    name, weights_name, weights_hash = "toy", "none", bytes(4)
    training_task = ToyTask
    def __init__(self, weights=None, device="cpu"):
        if weights == "bad":
            raise KeyError("no such thing")
    def transmitter(self, cbr): return Half()
    def receiver(self, height, width): return Half()

class Half(Transmitter, Receiver):
    def start(self, image): return Payload(np.full(4, LEVEL, np.complex64))
    def push(self, reception): return self.grey(8, 8)

def made(weights=None, device="cpu"): return Toy()
def wrong(weights=None, device="cpu"): return 3

class Unfinished(Codec):
    name = "unfinished"
class Nameless(Toy):
    name = "no name"
class Thief(Toy):
    name = "deepjscc"
class Untrained(Toy):
    training_task = None
class Mistrained(Toy):
    training_task = dict
"""
RAIN = """
from dataclasses import dataclass
from gr_jscc.channel import Impairment
@dataclass
class Rain(Impairment):
    level: float = 0.5
    seed: object = 1
    happens_after = "multipath"
    def process(self, samples): return samples * self.level
class Fog(Rain):
    happens_after = "breakfast"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With plug-ins in it; what they do to the interpreter is undone."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "toy.py").write_text(TOY)
    (folder / "beside.py").write_text("LEVEL = 1\n")
    (folder / "rain.py").write_text(RAIN)
    sys.modules.pop("toy", None)
    path, modules = list(sys.path), set(sys.modules)
    yield folder
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name in ("beside", "toy", "rain", "pigeon") or name.startswith("gr_jscc_plugin_"):
            del sys.modules[name]


def announce(monkeypatch, *entries):
    """Has installed packages announce (name, value, group)."""
    made = [EntryPoint(*entry) for entry in entries]
    monkeypatch.setattr(plugins, "entry_points", lambda group: [e for e in made if e.group == group])


def test_a_codec_by_its_file_by_its_module_and_by_a_function(folder, monkeypatch):
    place = f"{folder}/toy.py:Toy"
    toy = load_codec(place)
    assert toy.name == "toy" and codec_class(place) is type(toy), "a file is imported once"
    assert np.all(toy.transmitter(1).start(np.zeros((8, 8, 3), np.uint8)).symbols == 1), "and what lies beside it"
    assert load_codec(f"{folder}/toy.py:made").name == "toy"
    monkeypatch.chdir(folder)
    assert load_codec("toy.py:Toy").name == "toy" and load_codec("toy:Toy").name == "toy"
    assert codec_class("toy.py:Toy") is type(toy)
    assert pickle.loads(pickle.dumps(type(toy))) is type(toy)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("toy", "unknown codec 'toy'; known: deepjscc, .*path/to/file.py:Class"),
        ("{}/none.py:Toy", "{}/none.py:Toy cannot be imported: FileNotFoundError: no such file: {}/none.py"),
        ("{}/toy.py:Tony", "{}/toy.py:Tony: no class 'Tony' there; its classes: ToyTask, Toy, Half, Unfinished"),
        ("{}/toy.py:", "no class '' there"),
        ("nowhere.to.be.seen:Toy", "cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("nowhere.tobe:Toy", "cannot be imported: ModuleNotFoundError"),
        (":Toy", "cannot be imported: ImportError: a module must come before the colon"),
        ("..toy:Toy", "cannot be imported: TypeError"),
        ("{}/toy.py:Half", "{}/toy.py:Half: Half is no subclass of gr_jscc.codecs.base.Codec"),
        ("{}/toy.py:LEVEL", "is no codec|not callable"),
        ("{}/toy.py:Unfinished", "Unfinished lacks receiver, transmitter, weights_hash, weights_name"),
        ("{}/toy.py:Nameless", "Nameless.name must be letters, digits, -, _ and ., not 'no name'"),
        ("{}/toy.py:Thief", "Thief.name is 'deepjscc', which is a codec that ships"),
        ("{}/toy.py:wrong", "int is no subclass"),
    ],
)
def test_what_is_no_codec_is_one_line_with_its_file(folder, place, told):
    with pytest.raises(CodecError, match=told.replace("{}", re.escape(str(folder)))) as raised:
        load_codec(place.format(folder))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import not_there_at_all", "line 1: ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("\nx = 1 /", "line 2: SyntaxError"),
        ("x = 1\nx = 1 / 0", "line 2: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "line 1: SystemExit: 3"),
    ],
)
def test_a_file_that_fails_is_blamed_with_its_line(tmp_path, text, told):
    (tmp_path / "bad.py").write_text(text)
    for _ in range(2):  # a module half made is not kept
        with pytest.raises(CodecError, match=f"{re.escape(str(tmp_path))}/bad.py, {told}"):
            load_codec(f"{tmp_path}/bad.py:Toy")


def test_a_codec_that_cannot_be_made_is_one_line(folder):
    with pytest.raises(CodecError, match=r"toy.py:Toy cannot be made: .*toy.py, line \d+: KeyError: 'no such thing'"):
        load_codec(f"{folder}/toy.py:Toy", "bad")


def test_announced_names(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    announce(
        monkeypatch, ("toy", "toy:Toy", "gr_jscc.codecs"), ("deepjscc", "toy:Toy", "gr_jscc.codecs"),
        ("two", "toy:Toy", "gr_jscc.codecs"), ("two", "toy:Untrained", "gr_jscc.codecs"),
        ("gone", "no_module:Toy", "gr_jscc.codecs"), ("lone", "toy:Half", "gr_jscc.codecs"),
    )  # fmt: skip
    assert load_codec("toy").name == "toy"
    assert codec_class("deepjscc").__module__.startswith("gr_jscc."), "what ships is never replaced"
    for name, told in {
        "two": r"two packages have a codec 'two': an unknown package \(toy:Toy\) and .*toy:Untrained",
        "gone": "codec gone of an unknown package.* cannot be imported: ModuleNotFoundError",
        "lone": "codec lone: Half is no subclass",
        "none": "unknown codec 'none'; known: deepjscc, .*, gone, lone, toy, two",
    }.items():
        with pytest.raises(CodecError, match=told):
            load_codec(name)


def test_tasks_of_codecs_from_outside(folder, tmp_path, monkeypatch):
    def recipe(codec, task=""):
        path = folder / "recipe.toml"
        path.write_text(f'model = "m"\ncodec = "{codec}"\n[task]\n{task}\n')
        return load_recipe(path)

    monkeypatch.chdir(tmp_path)  # the file's path is relative to the recipe's
    made = recipe("toy.py:Toy", "strength = 2")
    assert task_of(made).strength == 2 and codec_name(made) == "toy"
    for codec, told in {
        "toy.py:Untrained": "cannot be trained; known: deepjscc, .* and codecs from outside with a training_task",
        "toy.py:Mistrained": "training_task must be a dataclass with build, prepare, loss and validate",
        "separation": "codec 'separation' cannot be trained",
    }.items():
        with pytest.raises(RecipeError, match=told):
            task_of(recipe(codec))
    with pytest.raises(RecipeError, match="strength must be float"):
        task_of(recipe("toy.py:Toy", 'strength = "much"'))
    monkeypatch.syspath_prepend(folder)
    announce(monkeypatch, ("toy", "toy:ToyTask", "gr_jscc.training_tasks"), ("toy", "toy:Toy", "gr_jscc.codecs"))
    assert type(task_of(recipe("toy"))).__name__ == "ToyTask" and codec_name(recipe("toy")) == "toy"


def test_impairments_from_outside(folder, tmp_path, monkeypatch):
    scenario = folder / "weather.toml"
    scenario.write_text('["rain.py:Rain"]\nlevel = 0.25\n[multipath]\ntaps = [1]\n[cfo]\ncycles_per_sample = 0.0\n')
    monkeypatch.chdir(tmp_path)
    loaded = load_scenario(scenario)
    assert [type(stage).__name__ for stage in loaded.chain.stages] == ["Multipath", "Rain", "CarrierOffset"]
    assert np.allclose(loaded.process(np.ones(8, np.complex64)), 0.25)
    monkeypatch.syspath_prepend(folder)
    announce(monkeypatch, ("rain", "rain:Rain", "gr_jscc.impairments"))
    assert np.allclose(Scenario({"rain": {"level": 2.0}}).process(np.ones(8, np.complex64)), 2)
    for name, told in {
        "hail": "unknown impairment 'hail'; known: clipping, .*rain",
        f"{folder}/rain.py:Fog": "happens_after must be one of clipping",
        f"{folder}/toy.py:Toy": "must be a dataclass and a subclass of gr_jscc.channel.Impairment",
    }.items():
        with pytest.raises(ScenarioError, match=told):
            Scenario({name: {}})
    with pytest.raises(ScenarioError, match="unknown key 'wet'; known: level"):
        Scenario({"rain": {"wet": 1}})


def test_radios_of_other_packages(folder, monkeypatch):
    (folder / "pigeon.py").write_text(
        "from gr_jscc.radio.address import Kind\n"
        "KIND = Kind('pigeon:LOFT', 'pigeon', lambda place: '' if place else 'a loft must follow')\nOTHER = 3\n"
    )
    monkeypatch.syspath_prepend(folder)
    announce(monkeypatch, ("pigeon", "pigeon:KIND", "gr_jscc.radios"), ("owl", "pigeon:OTHER", "gr_jscc.radios"))
    assert parse_radio("pigeon:roof").place == "roof" and isinstance(kind_of("pigeon"), Kind)
    assert not kind_of("pigeon").device
    with pytest.raises(RadioError, match="a loft must follow"):
        parse_radio("pigeon:")
    with pytest.raises(RadioError, match="owl: its entry point must be a gr_jscc.radio.address.Kind, not 3"):
        parse_radio("owl:x")
    with pytest.raises(RadioError, match="unknown radio 'crow:x'; .*pigeon:…"):
        parse_radio("crow:x")


def test_places_mean_the_same_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert plugins.absolute_place("own/toy.py:Toy") == f"{os.getcwd()}/own/toy.py:Toy"
    assert plugins.absolute_place("/a/toy.py:Toy", "/b") == "/a/toy.py:Toy"
    assert plugins.absolute_place("~/toy.py:Toy", "/b") == f"{os.path.expanduser('~')}/toy.py:Toy"
