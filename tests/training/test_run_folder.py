"""A run's folder: what is in it is whole, of this recipe and worth keeping, or a line says why not."""

import dataclasses
import hashlib
import json
import math
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.registry import load_codec
from gr_jscc.errors import UserError
from gr_jscc.files import whole as whole_file
from gr_jscc.files.locks import locked
from gr_jscc.training.checkpoint import CheckpointError, checkpoints, load_checkpoint, save_checkpoint
from gr_jscc.training.loop import train
from gr_jscc.training.recipe import Recipe, RecipeError, load_recipe
from gr_jscc.training.state import PATIENCE, DivergedError, TrainingState
from gr_jscc.training.tasks import task_of
from gr_jscc.weights import WeightsError, write_model

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread", "small_sample")]
ROOT = Path(__file__).parents[2]

TINY = Recipe(
    model="tiny", codec="deepjscc", steps=4, batch=2, crop=32, warmup=1, checkpoint_every=2, validate_every=2,
    precision="float32",
    network={
        "latents": 16, "fine": 8, "coarse": 8, "hidden": 8, "encoder_blocks": [1, 1], "decoder_blocks": [1, 1],
    },
    task={"rates": [8, 16]},
)  # fmt: skip


def content(folder):
    """Every file below a folder and what is in it."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def metadata(weights):
    with safe_open(str(weights), framework="pt") as file:
        return file.metadata()


@pytest.fixture(scope="module")
def finished(photos, tmp_path_factory):
    """The folder of a run that is through."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    train(TINY, [photos], [photos], out, "cpu")
    return out


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "run")


# --- finished runs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("validated", [True, False])
def test_a_finished_run_that_is_called_again_changes_nothing(run, photos, validated):
    before, lines = content(run), []
    assert json.loads(metadata(run / "tiny.safetensors")["figures"])["psnr_db/snr10_rate16"] > 5
    train(TINY, [photos], [photos] if validated else [], run, "cpu", say=lines.append)
    train(dataclasses.replace(TINY, steps=3), [photos], [], run, "cpu", say=lines.append)
    assert content(run) == before
    assert lines == [f"tiny in {run} has already completed its 4 steps"] * 2


def test_weights_of_a_finished_run_that_were_removed_come_back_with_their_figures(run, photos):
    weights = run / "tiny.safetensors"
    figures, tensors = metadata(weights)["figures"], load_file(str(weights))
    weights.unlink()
    assert train(TINY, [photos], [], run, "cpu") == weights
    assert metadata(weights)["figures"] == figures != "{}"
    assert all(torch.equal(value, tensors[key]) for key, value in load_file(str(weights)).items())


# --- other recipes' folders ------------------------------------------------------------------------------------------

OTHERS = {
    "wider": (dataclasses.replace(TINY, network=TINY.network | {"fine": 16}), "network.fine was 8 and is 16"),
    "deeper": (dataclasses.replace(TINY, network=TINY.network | {"decoder_blocks": [2, 1]}), "network.decoder_blocks"),
    "another codec": (
        dataclasses.replace(
            TINY, codec="successive-single", task={},
            network={"layers": 2, "latents": 4, "kind": "recursive", "encoder": {"width": 8, "blocks": 1, "passes": 2},
                     "decoder": {"width": 8, "blocks": 1, "passes": 2}},
        ),
        "codec is 'deepjscc', not 'successive-single'",
    ),
    "another model": (dataclasses.replace(TINY, model="other"), "model is 'tiny', not 'other'"),
    "another optimiser": (dataclasses.replace(TINY, optimiser="muon"), "optimiser is 'adamw', not 'muon'"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("old", [False, True])
def test_the_folder_of_another_recipe_is_refused_in_one_line_and_kept(run, photos, name, old):
    recipe, message = OTHERS[name]
    if old:  # checkpoints of old said only the model's name, and had no checksums
        for path in checkpoints(run):
            state = json.loads((path / "state.json").read_text())
            (path / "state.json").write_text(json.dumps({"step": state["step"], "model": state["model"]}))
        message = message if name == "another model" else "does not fit" if "optimiser" not in name else None
        if message is None:
            return
    before = content(run)
    with pytest.raises(RecipeError, match=message) as told:
        train(dataclasses.replace(recipe, steps=6), [photos], [], run, "cpu")
    assert "\n" not in str(told.value) and str(run / "step-0000004") in str(told.value) and "--out" in str(told.value)
    assert content(run) == before


def test_checkpoints_of_old_are_gone_on_from(run, photos):
    for path in checkpoints(run):
        (path / "state.json").write_text(json.dumps({"step": int(path.name[5:]), "model": "tiny"}))
    train(dataclasses.replace(TINY, steps=6), [photos], [], run, "cpu")
    assert checkpoints(run)[-1].name == "step-0000006"


# --- damaged checkpoints ---------------------------------------------------------------------------------------------


def shard(path):
    return max(path.glob("network-*.safetensors"))


def zeros(path):
    """What a journal may leave of a file that was never synced: its length."""
    shard(path).write_bytes(bytes(shard(path).stat().st_size))


def flipped(path):
    data = bytearray(shard(path).read_bytes())
    data[-5] ^= 0x10
    shard(path).write_bytes(data)


DAMAGES = {
    "empty state": lambda path: (path / "state.json").write_text(""),
    "cut state": lambda path: (path / "state.json").write_text((path / "state.json").read_text()[:40]),
    "state that is a list": lambda path: (path / "state.json").write_text("[1, 2]"),
    "zeros in the state": lambda path: (path / "state.json").write_bytes(bytes(200)),
    "empty shard": lambda path: shard(path).write_bytes(b""),
    "cut shard": lambda path: shard(path).write_bytes(shard(path).read_bytes()[:-100]),
    "missing shard": lambda path: shard(path).unlink(),
    "missing state": lambda path: (path / "state.json").unlink(),
    "nothing in it": lambda path: [file.unlink() for file in path.iterdir()],
    "zeros": zeros,
    "a flipped bit": flipped,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_of_a_damaged_checkpoint_the_one_before_is_used(run, photos, damage):
    DAMAGES[damage](run / "step-0000004")
    lines = []
    train(dataclasses.replace(TINY, steps=5), [photos], [], run, "cpu", say=lines.append)
    assert len(lines) == 1 and "step-0000004 is damaged" in lines[0] and "\n" not in lines[0]
    assert load_checkpoint(run / "step-0000004")[1]["step"] == 4  # it was made anew, from the one before
    assert checkpoints(run)[-1].name == "step-0000005"


@pytest.mark.parametrize("damage", ["zeros", "missing state", "nothing in it"])
def test_where_no_checkpoint_is_whole_nothing_is_begun_anew(run, photos, damage):
    for path in checkpoints(run):
        DAMAGES[damage](path)
    before = content(run)
    with pytest.raises(CheckpointError, match="no checkpoint in .* is intact") as told:
        train(dataclasses.replace(TINY, steps=6), [photos], [], run, "cpu")
    assert "\n" not in str(told.value) and content(run) == before


def test_damaged_checkpoints_of_later_steps_do_not_crowd_out_the_new_one(tmp_path):
    weights = {"network": {"w": torch.ones(3)}}
    for step in (7, 8):
        shutil.copytree(save_checkpoint(tmp_path, 2, weights, {}), tmp_path / f"step-{step:07d}")
    assert save_checkpoint(tmp_path, 3, weights, {}).is_dir()


def test_a_line_of_the_log_that_was_cut_off_costs_no_other(run, photos):
    log = run / "log.jsonl"
    whole = log.read_text().splitlines()
    log.write_bytes(log.read_bytes()[:-9])
    train(dataclasses.replace(TINY, steps=5), [photos], [photos], run, "cpu")
    lines = log.read_text().splitlines()
    assert lines[: len(whole) - 1] == whole[:-1]
    assert {json.loads(line)["step"] for line in lines[len(whole) :]} == {5}


def test_all_of_a_checkpoint_is_on_the_disk_before_its_name_is(tmp_path, monkeypatch):
    """A power failure cannot be had in a test: what is asked of the system is, and in which order."""
    calls = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor):
        calls.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def note_replace(part, target):
        calls.append((str(part), str(target)))
        replace(part, target)

    monkeypatch.setattr(whole_file.os, "fsync", note_fsync)
    monkeypatch.setattr(whole_file.os, "replace", note_replace)
    save_checkpoint(tmp_path, 3, {"network": {"a": torch.zeros(3)}, "average": {"a": torch.ones(3)}}, {})
    write_model(tmp_path / "m.safetensors", "deepjscc", {}, {"a": torch.zeros(3)}, {})
    whole_file.write_whole(tmp_path / "page.html", "text")
    part = str(tmp_path / "part")
    place = calls.index((part, str(tmp_path / "step-0000003")))
    files = {f"{part}/{name}" for name in ("network-0.safetensors", "average-0.safetensors", "state.json")}
    assert set(calls[:place]) == {part, *files} and calls[place + 1] == str(tmp_path)
    for name in ("m.safetensors", "page.html"):
        (place,) = (place for place, call in enumerate(calls) if call[1] == str(tmp_path / name))
        assert calls[place - 1] == calls[place][0] and calls[place + 1] == str(tmp_path)


# --- divergence ------------------------------------------------------------------------------------------------------


WILD = {"learning_rate": 1e30, "final_learning_rate": 1e30, "clip": 1e30}
DIVERGING = {
    "weights beyond half precision": WILD,
    "weights beyond single precision": {**WILD, "learning_rate": 9e35},
    "no finite loss from the first step on": {"task": {"rates": [8, 16], "offset": -1.0}},
    "muon, too fast": {**WILD, "optimiser": "muon"},
}


@pytest.mark.parametrize("name", DIVERGING)
@pytest.mark.parametrize("validated", [True, False])
def test_a_run_that_diverged_is_told_and_leaves_nothing_of_it(tmp_path, photos, name, validated):
    recipe = dataclasses.replace(TINY, **DIVERGING[name])
    with pytest.raises(DivergedError, match="training of tiny diverged by step .*; there is no checkpoint") as told:
        train(recipe, [photos], [photos] if validated else [], tmp_path, "cpu")
    assert "\n" not in str(told.value)
    assert not checkpoints(tmp_path) and not (tmp_path / "tiny.safetensors").exists()
    assert "NaN" not in (tmp_path / "log.jsonl").read_text()


@pytest.mark.parametrize("name", [name for name in DIVERGING if "muon" not in name])
def test_a_run_that_diverges_later_keeps_the_good_checkpoints_and_weights(run, photos, name):
    kept = {key: value for key, value in content(run).items() if "step-" in key or key.endswith(".safetensors")}
    recipe = dataclasses.replace(TINY, **DIVERGING[name], steps=8)
    with pytest.raises(DivergedError, match=r"the last good checkpoint is .*step-0000004"):
        train(recipe, [photos], [photos], run, "cpu")
    after = content(run)
    assert kept.items() <= after.items()
    train(dataclasses.replace(TINY, steps=6), [photos], [], run, "cpu")  # and they are good


def test_a_long_run_ends_where_there_is_no_way_on(tmp_path, photos):
    recipe = dataclasses.replace(TINY, steps=10_000, checkpoint_every=5000, task={"rates": [8], "offset": -1.0})
    with pytest.raises(DivergedError, match=f"none of the last {PATIENCE} steps had a finite loss and gradient"):
        train(recipe, [photos], [], tmp_path, "cpu")


def test_one_bad_batch_ends_nothing_and_changes_nothing():
    task = task_of(TINY)
    state = TrainingState(TINY, task.build(TINY.network), task, Path("nowhere"))
    parameter = next(state.network.parameters())

    def gradient(value):
        for one in state.network.parameters():
            one.grad = torch.full_like(one, value)

    before = parameter.clone()
    gradient(math.nan)
    assert not state.take(torch.tensor(True)) and torch.equal(parameter, before)
    gradient(0.1)
    assert state.take(torch.tensor(True)) and not torch.equal(parameter, before)
    state.check()
    for _ in range(3):
        gradient(math.inf)
        assert not state.take(torch.tensor(True))
    with pytest.raises(DivergedError, match="none of the last 3 steps"):
        state.check()


@pytest.mark.parametrize("where", ["optimiser", "average", "figures"])
def test_what_is_not_finite_is_found_wherever_it_is(where):
    task = task_of(TINY)
    state = TrainingState(TINY, task.build(TINY.network), task, Path("nowhere"))
    for one in state.network.parameters():
        one.grad = torch.ones_like(one)
    assert state.take(torch.tensor(True))
    state.check()
    with pytest.raises(DivergedError, match={"figures": "psnr is not a number"}.get(where, "are not finite")):
        if where == "optimiser":
            next(iter(state.optimiser.state.values()))["exp_avg_sq"].fill_(math.inf)
        elif where == "average":
            next(state.average.network.parameters()).fill_(1e5)  # infinite in half precision
        else:
            state.take_figures({"psnr": math.nan})
        state.check()


def test_weights_that_are_not_finite_are_never_written_over_good_ones(tmp_path):
    path = tmp_path / "m.safetensors"
    write_model(path, "deepjscc", {}, {"a": torch.ones(2)}, {})
    before = hashlib.sha256(path.read_bytes()).digest()
    for bad in (math.nan, math.inf, 1e6):
        with pytest.raises(WeightsError, match="not finite in half precision, such as a"):
            write_model(path, "deepjscc", {}, {"a": torch.tensor([1.0, bad])}, {})
    assert hashlib.sha256(path.read_bytes()).digest() == before


# --- places that cannot be written -----------------------------------------------------------------------------------


def limited(arguments, largest, cwd):
    """``gr-jscc train`` where no file may grow beyond so many bytes, which fails as on a full disk."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    return subprocess.run(
        [sys.executable, "-m", "gr_jscc.host", "train", *map(str, arguments), "--device", "cpu"],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}, preexec_fn=limit,
        capture_output=True, text=True, timeout=110,
    )  # fmt: skip


def recipe_file(folder, **changed):
    recipe = dataclasses.replace(TINY, **changed)
    lines = [f"{key} = {json.dumps(getattr(recipe, key))}" for key in (
        "model", "codec", "steps", "batch", "crop", "warmup", "checkpoint_every", "validate_every", "precision"
    )]  # fmt: skip
    for name in ("network", "task"):
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in getattr(recipe, name).items())]
    (folder / "recipe.toml").write_text("\n".join(lines))
    return folder / "recipe.toml"


def test_a_full_disk_is_one_line_and_the_last_whole_checkpoint_remains(run, photos, tmp_path):
    recipe = recipe_file(tmp_path, steps=8)
    kept = {key: value for key, value in content(run).items() if "step-" in key or key.endswith(".safetensors")}
    smallest = min(len(value) for key, value in kept.items() if "network" in key or "exp_avg" in key)
    done = limited([recipe, "--data", photos, "--out", run], smallest // 2, tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert f"{run} cannot be written: File too large" in " ".join(done.stderr.split())
    after = content(run)
    assert kept.items() <= after.items() and not (run / "part").exists()
    train(load_recipe(recipe), [photos], [], run, "cpu")  # the disk has room again
    assert checkpoints(run)[-1].name == "step-0000008"


def test_a_disk_that_has_no_room_for_a_log_is_one_line(run, photos):
    (run / "log.jsonl").unlink()
    (run / "log.jsonl").symlink_to("/dev/full")
    with pytest.raises(UserError, match=f"{run} cannot be written: No space left on device"):
        train(dataclasses.replace(TINY, steps=6), [photos], [photos], run, "cpu")


@pytest.mark.parametrize("place", ["file", "file/run", "/proc/run"])
def test_a_place_that_cannot_be_written_is_told_before_a_photo_is_read(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot make the folder") as told:
        train(TINY, [tmp_path / "no photos"], [], tmp_path / place, "cpu")
    assert str(tmp_path / place) in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["log.jsonl", "tensorboard"])
def test_what_is_in_the_way_of_logs_is_told_before_a_step_is_taken(tmp_path, photos, name):
    (tmp_path / "log.jsonl").mkdir() if name == "log.jsonl" else (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"{tmp_path} cannot be written"):
        train(TINY, [photos], [], tmp_path, "cpu")
    assert not checkpoints(tmp_path)


def test_tensorboard_reads_the_events(run):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    logged = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    logged = [line for line in logged if "psnr_db/snr10_rate8" in line]
    for scalar, line in zip(events.Scalars("psnr_db/snr10_rate8"), logged, strict=True):
        assert scalar.step == line["step"] and scalar.value == pytest.approx(line["psnr_db/snr10_rate8"], abs=1e-4)


# --- recipes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"validate_every": 0}, "validate_every must be at least 1"),
        ({"learning_rate": math.nan}, "learning_rate must be above 0"),
        ({"learning_rate": 1e38}, "below 1e\\+36"),
        ({"clip": math.inf}, "clip must be above 0"),
        ({"ema": 1.0}, "ema must be"),
        ({"precision": "float16"}, "unknown precision 'float16'"),
        ({"model": "../elsewhere"}, "model must be a name"),
        ({"model": ".."}, "model must be a name"),
        ({"model": "m" * 300}, "model must be a name"),
        ({"seed": 2**70}, "seed must be at least 0 and below 2⁶³"),
        ({"warmup": 10**400}, "warmup must be at least 0 and below 2⁶³"),
        ({"weight_decay": math.nan}, "weight_decay must be"),
    ],
)
def test_values_that_no_run_can_have_are_refused(changed, message):
    with pytest.raises(RecipeError, match=message):
        dataclasses.replace(TINY, **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"network": {"latents": "many"}}, r"\[network\] does not describe a deepjscc"),
        ({"network": {"fines": 8}}, "unexpected keyword argument 'fines'"),
        ({"network": TINY.network | {"encoder_blocks": [1]}}, r"\[network\] does not describe a"),
        ({"task": {"rates": [8, 32]}}, "even, from 2 to the network's 16 latents, not 32"),
        ({"task": {"rates": [7]}}, "even, from 2"),
        ({"task": {"rates": []}}, "rates must be"),
        ({"task": {"rates": 8}}, "rates must be"),
        ({"task": {"snr_db": [10.0]}}, "snr_db must be"),
        ({"task": {"uneven": True}}, "uneven must be float, not True"),
        ({"task": {"snr_db": ["low", "high"]}}, "snr_db must be"),
        ({"task": {"snr_db": [math.nan, 10.0]}}, "snr_db must be"),
        ({"task": {"snr_db": [0.0, math.inf]}}, "snr_db must be"),
        *(({"network": TINY.network | {key: 0}}, "no values: a width of 0") for key in ("fine", "coarse", "hidden")),
    ],
)
def test_tables_that_make_no_network_or_task_are_one_line(tmp_path, photos, changed, message):
    with pytest.raises(RecipeError, match=message) as told:
        train(dataclasses.replace(TINY, **changed), [photos], [], tmp_path, "cpu")
    assert "\n" not in str(told.value)


def test_a_recipe_with_one_rate_trains(tmp_path, photos):
    train(dataclasses.replace(TINY, task={"rates": [12]}), [photos], [photos], tmp_path, "cpu")
    assert json.loads(metadata(tmp_path / "tiny.safetensors")["figures"]).keys() == {
        "psnr_db/snr10_rate12", "psnr_db/snr0_rate12", "psnr_db/snr20_rate12"
    }  # fmt: skip


def test_an_ntscc_with_one_rate_trains_and_sends(tmp_path, photos):
    attention = {"inner": 8, "heads": 2, "window": 4, "hidden": 8}
    network = {
        "latents": 16, "rates": [8], "codec": {"blocks": 1, **attention}, "refine": 8,
        "transforms": {"kind": "windows", "widths": [8, 8], "blocks": [1, 1], "heads": 2, "window": 4},
        "hyper": {"width": 8, "channels": 2, "kernel": 3},
    }  # fmt: skip
    recipe = dataclasses.replace(TINY, codec="ntscc", network=network, task={}, steps=2)
    codec = load_codec("ntscc", train(recipe, [photos], [photos], tmp_path, "cpu"))
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    payload = codec.transmitter(codec.cbr_range[0]).start(image)
    assert len(payload.symbols) == 4 * 12 * 16
    noise_var = np.full(len(payload.symbols), 1e-3, np.float32)
    receiver = codec.receiver(48, 64)
    assert receiver.push(Reception(payload.symbols, noise_var, payload.side_info)).std() > 1
    assert not receiver.shows_grey


def test_two_runs_do_not_share_a_folder(photos, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    with locked(out):
        with pytest.raises(UserError, match="another training run is using"):
            train(TINY, [photos], [photos], out, "cpu")
    assert list(out.iterdir()) == []
