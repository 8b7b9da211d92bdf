"""The timed run for a GPU machine, on the CPU: a plain checkout trains, anneals, validates and leaves its weights."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from gr_jscc.codecs.ntscc.codec import NTSCC
from gr_jscc.nn.residual import ConditionedBottleneck, ResidualBlock
from gr_jscc.training.device import compile_blocks
from gr_jscc.training.recipe import load_recipe
from gr_jscc.training.tasks import network_of, task_of

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).parents[2]
RECIPE = """
model = "tiny"
codec = "ntscc"
steps = 100000
batch = 2
crop = 32
optimiser = "muon"
learning_rate = 1e-3
final_learning_rate = 1e-6
warmup = 2
checkpoint_every = 50
validate_every = 100000
[network]
latents = 16
rates = [2, 4, 8, 16]
refine = 8
innovations = 8
[network.transforms]
kind = "windows"
widths = [8, 8]
blocks = [1, 1]
heads = 2
window = 4
[network.codec]
blocks = 1
inner = 8
heads = 2
window = 4
hidden = 8
[network.hyper]
width = 8
channels = 2
kernel = 3
"""


def script(name, *arguments, **environment):
    return subprocess.run(
        [str(ROOT / "scripts" / name), *map(str, arguments)], capture_output=True, text=True, timeout=110,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHON": sys.executable, "DEVICE": "cpu", **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def pack(tmp_path_factory, photo):
    tmp_path = tmp_path_factory.mktemp("gpu-run")
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(np.roll(photo, 37 * number, 1)[:200, :300]).save(folder / f"{number}.png")
    packed = tmp_path / "pack"
    for part in ("train", "validation"):
        command = [sys.executable, "scripts/pack_photos.py", packed / part, folder, "--mebibytes", "0.1"]
        made = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT)
        assert made.returncode == 0 and "4 photos" in made.stdout, made.stderr
        assert sum(path.stat().st_size for path in (packed / part).iterdir()) <= 0.1 * 2**20
    return packed


def test_a_few_seconds_end_annealed_validated_and_exported(tmp_path, pack):
    recipe, out = tmp_path / "tiny.toml", tmp_path / "out"
    recipe.write_text(RECIPE)
    ended = script("gpu-run.sh", f"{recipe}:0.1", PACK=str(pack), OUT=str(out))
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in out.iterdir()) == ["tiny.jsonl", "tiny.safetensors"]
    lines = [json.loads(line) for line in (out / "tiny.jsonl").read_text().splitlines()]
    rates = [line["learning_rate"] for line in lines if "learning_rate" in line]
    assert rates[-1] < 1e-4  # of a peak of 1e-3, which steps alone would hold for hours
    assert any("psnr_db_transmitted/quality0.5" in line for line in lines)
    with safe_open(str(out / "tiny.safetensors"), framework="pt") as file:
        assert int(file.metadata()["steps"]) > 5 and json.loads(file.metadata()["figures"])
        assert all(file.get_tensor(key).dtype == torch.float16 for key in file.keys())  # noqa: SIM118
    assert NTSCC(out / "tiny.safetensors").cbr_range[1] > 0


def test_what_a_gpu_run_leaves_is_small_enough_to_come_back():
    recipe = dataclasses.replace(load_recipe("ntscc-gpu"), start_from="")
    values = sum(value.numel() for value in network_of(recipe, task_of(recipe)).state_dict().values())
    assert 2 * values <= 15 * 2**20


def test_a_python_that_cannot_train_is_told(tmp_path, pack):
    ended = script("gpu-run.sh", "ntscc-gpu:0.1", PACK=str(pack), OUT=str(tmp_path / "out"), PYTHON="/bin/false")
    assert ended.returncode == 2 and ended.stderr.startswith("/bin/false lacks some of torch, safetensors")


@pytest.mark.parametrize(
    "arguments, told", [([], "usage"), (["ntscc-gpu"], "minutes are missing"), (["nothing:0.1"], "recipe not found")]
)
def test_mistakes_are_one_line_before_any_time_is_spent(tmp_path, pack, arguments, told):
    ended = script("gpu-run.sh", *arguments, PACK=str(pack), OUT=str(tmp_path / "out"))
    assert ended.returncode != 0 and told in ended.stderr and "Traceback" not in ended.stderr


def test_compiled_blocks_compute_what_they_did_and_keep_their_names():
    torch.manual_seed(1)
    blocks = torch.nn.Sequential(ResidualBlock(4), ResidualBlock(4))
    conditioned = ConditionedBottleneck(4, 4, 2)
    for module in (*blocks.modules(), *conditioned.modules()):
        for parameter in module.parameters(recurse=False):
            torch.nn.init.normal_(parameter, std=0.3)
    x, condition = torch.randn(2, 4, 8, 8), torch.randn(2, 2)
    before, names = (blocks(x), conditioned(x, condition)), list(blocks.state_dict())
    assert compile_blocks(blocks, "aot_eager") == 2 and compile_blocks(conditioned, "aot_eager") == 1
    after = blocks(x), conditioned(x, condition)
    assert list(blocks.state_dict()) == names
    for one, other in zip(before, after):
        assert torch.allclose(one, other, atol=1e-5)


def test_training_imports_nothing_that_such_a_machine_lacks():
    lacking = (
        "numba",
        "scipy",
        "pydantic",
        "gnuradio",
        "zmq",
        "av",
        "constriction",
        "matplotlib",
        "distributed",
        "sigmf",
    )
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({lacking!r}))\n"
        "import importlib, host.train, gr_jscc.training.loop\n"
        "from gr_jscc.training.tasks import TASKS\n"
        "for module, _ in TASKS.values(): importlib.import_module(module)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert ended.returncode == 0, ended.stderr
