"""Training DeepJSCC for frames: sequences go on from step to step, and what is exported is a codec's."""

import pytest
import torch
from PIL import Image

from gr_jscc.codecs.registry import load_codec
from gr_jscc.training.deepjscc_temporal import TemporalTask
from gr_jscc.training.loop import train
from gr_jscc.training.recipe import Recipe, load_recipe

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread")]


def test_every_step_takes_the_next_frame_and_a_scene_ends_with_its_life(photo):
    task, generator = TemporalTask(refresh=3), torch.Generator().manual_seed(1)
    network = task.build(load_recipe("deepjscc-temporal").network)
    crops = torch.from_numpy(photo[150:214, 100:228].copy()).permute(2, 0, 1).float() / 255
    images = torch.stack([crops[:, :, :64], crops[:, :, 64:]])
    task.prepare(network, images)
    with torch.no_grad():
        losses = [float(task.loss(network, images, generator)) for _ in range(6)]
    assert max(losses) < -3  # an MSE of 0.05: the start is of use as it is
    again = TemporalTask(refresh=3)
    with torch.no_grad():
        assert float(again.loss(network, images, torch.Generator().manual_seed(1))) == losses[0]


def test_gradients_reach_what_both_ends_do_with_their_references(photo):
    task = TemporalTask()
    network = task.build(load_recipe("deepjscc-temporal").network)
    images = torch.from_numpy(photo[None, 150:214, 100:164].copy()).permute(0, 3, 1, 2).float() / 255
    task.prepare(network, images)
    task.loss(network, images, torch.Generator().manual_seed(1)).backward()
    for name in ("encoder_reference", "analysis_reference", "decoder_reference_fine", "passing"):
        assert getattr(network, name).weight.grad.abs().max() > 0


def test_a_run_leaves_weights_that_the_codec_takes(photo, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(photo[150:250, 100:200]).save(folder / "1.png")
    recipe = Recipe(
        "mine", "deepjscc-temporal", steps=2, batch=1, crop=64, warmup=1, checkpoint_every=2, validate_every=2,
        precision="float32", network=load_recipe("deepjscc-temporal").network, task={"refresh": 2},
        start_from="deepjscc-photo", differences="deepjscc-photo", rounded=0.5,
    )  # fmt: skip
    path = train(recipe, [folder], [folder], tmp_path / "run", "cpu")
    assert path.stat().st_size < 2_000_000
    assert load_codec("deepjscc-temporal", path).transmitter(1 / 12).start(photo[:64, :64]).side_info[0] == 0
