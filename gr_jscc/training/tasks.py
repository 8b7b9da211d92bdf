"""From a recipe to what is trained: the codec's task, its network, and whether the crops suit it."""

from __future__ import annotations

import dataclasses
import importlib
import math

from torch import nn

from gr_jscc.training.recipe import Recipe, RecipeError

# Codec → module and class of its training task.
TASKS = {
    "deepjscc": ("gr_jscc.training.deepjscc", "DeepJSCCTask"),
    "hjscc": ("gr_jscc.training.hjscc", "HJSCCTask"),
    "ntscc": ("gr_jscc.training.ntscc", "NTSCCTask"),
    "successive-multiple": ("gr_jscc.training.successive", "MultipleTask"),
    "successive-residual": ("gr_jscc.training.successive", "ResidualTask"),
    "successive-single": ("gr_jscc.training.successive", "SingleTask"),
}
MS_SSIM_SIDE = 6 * 2**4 + 1  # pixels that a window of 7 needs at the coarsest of five scales


def task_of(recipe: Recipe):
    """The training task of a recipe's codec.

    Raises:
        RecipeError: no such codec, or an option its task does not know, or of another type.
    """
    if recipe.codec not in TASKS:
        raise RecipeError(f"codec {recipe.codec!r} cannot be trained; known: {', '.join(TASKS)}")
    module, name = TASKS[recipe.codec]
    task = getattr(importlib.import_module(module), name)
    options = {key: tuple(v) if isinstance(v, list) else v for key, v in recipe.task.items()}
    for field in dataclasses.fields(task):
        if field.name in options and not _is_like(options[field.name], field.default, "..." in str(field.type)):
            given = recipe.task[field.name]
            raise RecipeError(f"recipe {recipe.model}, [task]: {field.name} must be {field.type}, not {given!r}")
    try:
        return task(**options)
    except TypeError as error:
        raise RecipeError(f"recipe {recipe.model}, [task]: {error}") from error


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


def network_of(recipe: Recipe, task) -> nn.Module:
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
        raise RecipeError(f"recipe {recipe.model}, [network] makes no network of {recipe.codec}: {reason}") from error


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
            f"recipe {recipe.model}: a crop of {crop} pixels is no multiple of {recipe.codec}'s {multiple}"
        )
    if recipe.task.get("distortion") == "ms-ssim" and crop < MS_SSIM_SIDE:
        raise RecipeError(
            f"recipe {recipe.model}: MS-SSIM needs crops of at least {MS_SSIM_SIDE} pixels a side, not {crop}"
        )
