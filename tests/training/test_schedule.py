"""Learning rates over steps and over time: what a run that time ends has done by then."""

import dataclasses
import json
import math

import pytest
from hand_clock import HandClock

from gr_jscc.training.checkpoint import checkpoints, load_checkpoint
from gr_jscc.training.loop import train
from gr_jscc.training.recipe import Recipe
from gr_jscc.training.schedule import TimeAllowed, TimeLimit, learning_rate

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("one_thread", "small_sample")]

STEP = 1.0  # seconds: a training step looks at the clock once

LONG = Recipe(
    model="long", codec="deepjscc", steps=1000, batch=1, crop=16, warmup=5, learning_rate=1e-3,
    final_learning_rate=1e-5, checkpoint_every=1000, validate_every=1000, precision="float32",
    network={
        "latents": 8, "fine": 8, "coarse": 8, "hidden": 8, "encoder_blocks": [1, 1], "decoder_blocks": [1, 1],
    },
    task={"rates": [8]},
)  # fmt: skip


def test_time_that_is_spent_anneals_as_steps_do():
    recipe = dataclasses.replace(LONG, warmup=0)
    for share in (0.25, 0.5, 0.9, 1.0):
        assert learning_rate(recipe, 0, share) == pytest.approx(learning_rate(recipe, round(share * recipe.steps)))
    assert learning_rate(recipe, 900, 0.1) == learning_rate(recipe, 900)  # whichever is further
    assert learning_rate(recipe, 3, 7.0) == pytest.approx(recipe.final_learning_rate)  # beyond the end
    assert learning_rate(LONG, 2, 0.99) == learning_rate(LONG, 2)  # a warm-up is what it is


def test_the_share_of_time():
    limit = TimeLimit(TimeAllowed(10.0, HandClock(step=STEP)), 1, "cpu")
    assert [limit.spent() for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])
    assert TimeLimit(TimeAllowed(math.inf, HandClock(step=STEP)), 1, "cpu").spent() == 0
    assert TimeLimit(TimeAllowed(0, HandClock(step=STEP)), 1, "cpu").spent() == math.inf


def test_a_run_that_time_ends_has_annealed_by_then_and_goes_on_later(tmp_path, photos):
    """1000 steps are asked for, and there is time for 100: the learning rate is the last one's by then."""
    train(LONG, [photos], [photos], tmp_path, "cpu", allowed=TimeAllowed(100, HandClock(step=STEP)))
    (path,) = checkpoints(tmp_path)
    assert load_checkpoint(path)[1]["step"] == 100
    assert (tmp_path / "long.safetensors").is_file()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    rates = {line["step"]: line["learning_rate"] for line in lines if "learning_rate" in line}
    assert rates == {50: pytest.approx(5.05e-4, rel=0.05), 100: pytest.approx(1e-5, rel=0.05)}
    assert "psnr_db/snr10_rate8" in lines[-1] and lines[-1]["step"] == 100  # validated before it ended
    train(LONG, [photos], [], tmp_path, "cpu", allowed=TimeAllowed(20, HandClock(step=STEP)))
    assert load_checkpoint(checkpoints(tmp_path)[-1])[1]["step"] == 120


def test_a_run_without_a_limit_never_looks_at_the_clock(tmp_path, photos):
    recipe = dataclasses.replace(LONG, steps=50)
    clock = HandClock(step=STEP)
    train(recipe, [photos], [], tmp_path, "cpu", allowed=TimeAllowed(clock=clock))
    assert clock.now <= 1
    rate = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])["learning_rate"]
    assert rate == pytest.approx(recipe.final_learning_rate, rel=1e-3)
