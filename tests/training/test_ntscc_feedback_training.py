"""Training NTSCC with feedback: it learns, fixes what it is told to, and its weights send and receive."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gr_jscc.codecs.base import Reception
from gr_jscc.codecs.registry import load_codec
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.training.loop import train
from gr_jscc.training.pictures import Photos
from gr_jscc.training.recipe import Recipe
from gr_jscc.training.tasks import task_of

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]

WINDOWS = {"kind": "windows", "widths": [8, 8], "blocks": [0, 0], "heads": 1, "window": 4}
TINY = Recipe(
    model="tiny", codec="ntscc-feedback", steps=5, batch=4, crop=32, warmup=2, ema=0.5, checkpoint_every=3,
    validate_every=5, precision="float32",
    network={"latents": 16, "rounds": 3, "transforms": WINDOWS, "hyper": {"width": 8, "channels": 3, "kernel": 3}},
    task={"transforms": True},
)  # fmt: skip


def test_a_run_ends_in_weights_that_send_and_receive(tmp_path, photos):
    path = train(TINY, [photos], [photos], tmp_path / "run", "cpu")
    codec = load_codec("ntscc-feedback", path)
    image = np.full((40, 56, 3), 99, np.uint8)
    transmitter, receiver = codec.transmitter(codec.cbr_range[1] / 2), codec.receiver(40, 56)
    payload = transmitter.start(image)
    while payload is not None:
        came = Reception(payload.symbols, np.full(len(payload.symbols), 0.01, np.float32), payload.side_info)
        receiver.hear(came)
        payload = transmitter.next(came)
    assert receiver.insight.drifted == 0 and psnr_db(image, receiver.show()) > 20


def test_what_analyses_stays_as_it_was_unless_told_otherwise(tmp_path, photos):
    start = load_file(str(train(dataclasses.replace(TINY, steps=1), [photos], [], tmp_path / "first", "cpu")))
    recipe = dataclasses.replace(TINY, start_from=str(tmp_path / "first" / "tiny.safetensors"), task={})
    after = load_file(str(train(recipe, [photos], [], tmp_path / "second", "cpu")))
    changed = {name for name in start if not torch.equal(start[name], after[name])}
    assert {"exponent", "transforms.synthesis.weight"} <= changed
    assert not any(name.startswith(("transforms.analysis", "transforms.encoder", "hyperprior")) for name in changed)


@pytest.mark.parametrize("options", [{}, {"deaf": 1.0, "cut": 0.0}, {"cut": 1.0, "deaf": 0.0}, {"uneven": 1.0}])
def test_training_mends_gains_that_were_disturbed(photos, options):
    torch.manual_seed(1)
    recipe = dataclasses.replace(TINY, task={"snr_db": [10.0, 10.0]} | options)
    task = task_of(recipe)
    network = task.build(recipe.network)
    crops = Photos([photos], 32).crops(16, 1)
    images = torch.stack([crops[i] for i in range(16)])
    task.prepare(network, images)
    network.exponent.data += 0.4
    optimiser = torch.optim.Adam([network.exponent, network.log_gain], 2e-2)

    def loss(seed):
        return task.loss(network, images, torch.Generator().manual_seed(seed))

    with torch.no_grad():
        before = float(np.mean([float(loss(seed)) for seed in range(4)]))
    for step in range(24):
        optimiser.zero_grad()
        loss(100 + step).backward()
        optimiser.step()
    with torch.no_grad():
        after = float(np.mean([float(loss(seed)) for seed in range(4)]))
    assert after < before - 0.01
