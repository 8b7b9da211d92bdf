"""From a recipe to what is trained: the codec's task, its network, and whether the crops suit it."""

from __future__ import annotations

import dataclasses
import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gr_jscc.codecs.registry import PLUGINS as OUTSIDE
from gr_jscc.codecs.registry import codec_class
from gr_jscc.plugins import Group, is_place
from gr_jscc.training.recipe import Recipe, RecipeError


class Adversary(Protocol):
    """What learns beside a network and judges what it makes. Its own optimiser and moments are in checkpoints.

    See `gr_jscc.training.ntscc_perceptual.PerceptualDistortion`.

    Example:
        >>> from gr_jscc.training.ntscc_perceptual import PerceptualDistortion
        >>> all(hasattr(PerceptualDistortion, name) for name in ("step", "figures", "groups", "restore"))
        True
    """

    def step(self) -> bool:
        """Learns from what the loss of this step was computed of; False where its gradients were not finite."""

    def figures(self) -> dict[str, float]:
        """Its own losses since the last time, for the log."""

    def groups(self) -> dict[str, dict[str, Tensor]]:
        """All that it changes, for a checkpoint."""

    def restore(self, groups: dict[str, dict[str, Tensor]], step: int) -> None:
        """Puts back what `groups` gave at a step.

        Raises:
            RuntimeError, KeyError: they are of another one.
        """


@runtime_checkable
class Task(Protocol):
    """What training a codec's network means: a frozen dataclass whose fields are the options of a recipe's ``[task]``.

    A default says which type an option has: a number, text, true or false, or a tuple of such, whose length holds
    unless its annotation has ``...``. To train a codec of one's own, write one and name it in `TASKS`.

    The network is a `torch.nn.Module` with two attributes: ``config``, the keywords that it was built from, which are
    written into its weights' file, and ``multiple`` or ``stride``, pixels of which a picture's sides must be multiples.

    Example:
        >>> task_of(Recipe("mine", "deepjscc", task={"rates": [16]})).rates
        (16,)
        >>> task_of(Recipe("mine", "deepjscc", task={"rates": "all"}))
        Traceback (most recent call last):
            ...
        gr_jscc.training.recipe.RecipeError: recipe mine, [task]: rates must be tuple[int, ...], not 'all'
    """

    def build(self, network: dict) -> nn.Module:
        """A fresh network from a recipe's ``[network]``.

        Raises:
            RecipeError: this task cannot train it. What else is raised of bad keywords is told as `network_of` does.
        """

    def prepare(self, network: nn.Module, crops: Tensor) -> None:
        """Gives a fresh network a start, once for each run.

        Args:
            network: on the CPU; changed in place.
            crops: float32[N, 3, crop, crop] of the training pictures, from 0 to 1, on the CPU.
        """

    def loss(self, network: nn.Module, images: Tensor, generator: torch.Generator) -> Tensor:
        """float32[], what a step makes smaller; may be not finite, and the step is then left out.

        Args:
            network: that `build` made, maybe wrapped for several processes: it is to be called, once.
            images: float32[B, 3, crop, crop] from 0 to 1.
            generator: on the images' device; all randomness is to come from it, so that a run can be repeated.
        """

    def validate(self, network: nn.Module, photos: list[Tensor]) -> dict[str, float]:
        """Figures by their names, such as ``psnr_db/snr10``, none of them NaN.

        Args:
            network: with averaged weights, in eval mode.
            photos: uint8[3, H, W], sides multiples of the network's; the same at every call.
        """


@runtime_checkable
class JudgedTask(Task, Protocol):
    """A task some of whose losses are a judge's that learns as well; its `loss` takes it as ``adversary``.

    Example:
        >>> tasks = [task_of(Recipe("mine", codec)) for codec in ("ntscc", "hjscc")]
        >>> [isinstance(task, JudgedTask) for task in tasks]
        [True, False]
    """

    def adversary(self, network: nn.Module) -> Adversary | None:
        """The judge of a fresh network, on the same device; None where the options ask for none.

        Raises:
            RecipeError: something that it needs is not there.
        """


# Codec → module and class of its training task.
TASKS: dict[str, tuple[str, str]] = {
    "deepjscc": ("gr_jscc.training.deepjscc", "DeepJSCCTask"),
    "deepjscc-temporal": ("gr_jscc.training.deepjscc_temporal", "TemporalTask"),
    "hjscc": ("gr_jscc.training.hjscc", "HJSCCTask"),
    "hjscc-feedback": ("gr_jscc.training.hjscc_feedback", "HyperFeedbackTask"),
    "ntscc": ("gr_jscc.training.ntscc", "NTSCCTask"),
    "successive-multiple": ("gr_jscc.training.successive", "MultipleTask"),
    "successive-residual": ("gr_jscc.training.successive", "ResidualTask"),
    "successive-single": ("gr_jscc.training.successive", "SingleTask"),
}
PLUGINS = Group("training task", "gr_jscc.training_tasks", TASKS, RecipeError)
MS_SSIM_SIDE = 6 * 2**4 + 1  # pixels that a window of 7 needs at the coarsest of five scales


def task_of(recipe: Recipe) -> Task:
    """The training task of a recipe's codec.

    Raises:
        RecipeError: no such codec, or an option its task does not know, or of another type.
        CodecError: a codec from outside that cannot be imported.
    """
    task = _task_class(recipe.codec)
    options = {key: tuple(v) if isinstance(v, list) else v for key, v in recipe.task.items()}
    for field in dataclasses.fields(task):
        if field.name in options and not _is_like(options[field.name], field.default, "..." in str(field.type)):
            given, wanted = recipe.task[field.name], getattr(field.type, "__name__", field.type)
            raise RecipeError(f"recipe {recipe.model}, [task]: {field.name} must be {wanted}, not {given!r}")
    try:
        return task(**options)
    except TypeError as error:
        raise RecipeError(f"recipe {recipe.model}, [task]: {error}") from error


def codec_name(recipe: Recipe) -> str:
    """What weights' files call a recipe's codec, however the recipe names it."""
    return recipe.codec if recipe.codec in TASKS else codec_class(recipe.codec).name


def _task_class(codec: str) -> type[Task]:
    """Of a codec that ships, by `TASKS`; of one from outside what it names itself, else what a package announces."""
    if codec in TASKS or codec in PLUGINS.others():
        return PLUGINS.find(codec)
    task = codec_class(codec).training_task if is_place(codec) or codec in OUTSIDE.others() else None
    if task is None:
        raise RecipeError(
            f"codec {codec!r} cannot be trained; known: {', '.join([*TASKS, *PLUGINS.others()])}, and codecs from "
            "outside with a training_task"
        )
    if not dataclasses.is_dataclass(task) or not isinstance(task, type) or not issubclass(task, Task):
        raise RecipeError(
            f"codec {codec}: its training_task must be a dataclass with build, prepare, loss and validate"
        )
    return task


def _is_like(value: object, default: object, any_length: bool) -> bool:
    """Whether an option's value is of its default's type; whole numbers do for others, true and false for none.

    Numbers are finite.
    """
    if isinstance(default, tuple):
        if not isinstance(value, tuple) or not (len(value) == len(default) or (any_length and value)):
            return False
        return all(_is_like(one, default[0], False) for one in value)
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, (int, float)) and math.isfinite(value)
    return isinstance(value, type(default))


def network_of(recipe: Recipe, task: Task) -> nn.Module:
    """A fresh network of a recipe's task.

    Raises:
        RecipeError: its ``network`` table makes none.
    """
    try:
        network = task.build(recipe.network)
        for name, values in network.named_parameters():
            if not values.numel():
                raise ValueError(f"{name} would have no values: a width of 0?")
        return network
    except RecipeError:
        raise
    except (TypeError, ValueError, KeyError, IndexError, AssertionError, RuntimeError, ZeroDivisionError) as error:
        reason = " ".join(str(error).split())
        raise RecipeError(
            f"recipe {recipe.model}, [network] does not describe a {recipe.codec} network: {reason}"
        ) from error


def multiple_of(network: nn.Module) -> int:
    """Pixels of which a picture's sides must be multiples to go through a network."""
    return network.multiple if hasattr(network, "multiple") else network.stride


def check_crop(recipe: Recipe, network: nn.Module, crop: int) -> None:
    """Refuses training pictures that do not fit a network or a loss.

    Args:
        recipe: whose.
        network: of its task.
        crop: side of the training pictures, pixels.

    Raises:
        RecipeError: they do not.
    """
    multiple = multiple_of(network)
    if crop % multiple:
        raise RecipeError(
            f"recipe {recipe.model}: a crop of {crop} pixels is not a multiple of {recipe.codec}'s {multiple}"
        )
    if recipe.task.get("distortion") == "ms-ssim" and crop < MS_SSIM_SIDE:
        raise RecipeError(
            f"recipe {recipe.model}: MS-SSIM needs crops of at least {MS_SSIM_SIDE} pixels a side, not {crop}"
        )
