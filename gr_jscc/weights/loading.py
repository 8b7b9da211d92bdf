"""From a model's file to its network: nothing that a configuration says is believed before the tensors bear it out."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from gr_jscc.plain_text import shown
from gr_jscc.weights import ModelFile, WeightsError

LARGEST = 1 << 16  # whole number in a configuration
LONGEST = 40  # text in a configuration, characters
DEEPEST = 8
SPARE_PARAMETERS = 1000  # that a network may make and replace while it is built


class ConfigError(ValueError):
    """A configuration that no network has; the message says what is wrong.

    Example:
        >>> check_values({"width": -1})
        Traceback (most recent call last):
            ...
        gr_jscc.weights.loading.ConfigError: width is out of range
    """


def load_network(build: Callable[[dict], nn.Module], model: ModelFile) -> nn.Module:
    """The network of a model, ready to encode and decode.

    It is built without memory: a number that asks for gigabytes, or for a million blocks, does not fit the tensors, and
    nothing was made of it. The tensors then become its own, so what is in none of them (tables that are worked out from
    the configuration) has to be made on the CPU explicitly.

    Args:
        build: the network that weights of a configuration belong to.
        model: as read.

    Raises:
        WeightsError: bad configuration; tensors that do not fit it or are not finite.
    """
    try:
        check_values(model.config)
        with torch.device("meta"), _Unfilled(), _at_most(4 * len(model.tensors) + SPARE_PARAMETERS):
            network = build(model.config)
    except Exception as error:  # whatever comes of wrong types, missing names, negative sizes …
        raise WeightsError(f"weights with a bad configuration: {model.name}: {_line(error)}") from error
    wanted = network.state_dict()
    if wanted.keys() != model.tensors.keys():
        name = sorted(wanted.keys() ^ model.tensors.keys())[0]
        how = "lack" if name in wanted else "have a superfluous"
        raise WeightsError(f"weights do not fit the network: {model.name}: they {how} {_cut(name)}")
    for name, tensor in model.tensors.items():
        if tensor.shape != wanted[name].shape:
            sizes = f"{list(tensor.shape)}, not {list(wanted[name].shape)}"
            raise WeightsError(f"weights do not fit the network: {model.name}: {name} is {sizes}")
        if not torch.isfinite(tensor.sum()):  # as it is unless all are, and quicker than asking each
            raise WeightsError(f"weights that are not finite: {model.name}: {name}")
    network.load_state_dict(model.tensors, strict=True, assign=True)
    return network.eval()


def check_values(value: object, name: str = "the configuration", depth: int = 0) -> None:
    """Refuses what no configuration holds, whatever network it is for: texts, numbers and tables of them are wanted.

    Raises:
        ConfigError: numbers that are not finite, negative whole ones, or such beyond `LARGEST`; long texts; nothing.
    """
    if depth > DEEPEST:
        raise ConfigError("nested too deeply")
    if isinstance(value, dict):
        for key, inner in value.items():
            check_values(inner, key, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            check_values(inner, name, depth + 1)
    elif isinstance(value, str):
        if len(value) > LONGEST:
            raise ConfigError(f"{_cut(name)} is a text of {len(value)} characters")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"{_cut(name)} is {value}")
    elif not isinstance(value, int):
        raise ConfigError(f"{_cut(name)} is {type(value).__name__}")
    elif not 0 <= value <= LARGEST:
        raise ConfigError(f"{_cut(name)} is out of range")


def require(holds: bool, what: str) -> None:
    """Says what a configuration lacks.

    Raises:
        ConfigError: unless it holds.
    """
    if not holds:
        raise ConfigError(what)


def require_number(value: object, name: str) -> None:
    """Raises ConfigError for what is no number above 0."""
    require(type(value) in (int, float) and value > 0, f"{name} must be a number above 0")


def require_bools(config: dict, *names: str) -> None:
    """Raises ConfigError where a name's value is neither true nor false."""
    for name in names:
        require(type(config[name]) is bool, f"{name} must be true or false")


def require_rates(rates: object, most: int) -> None:
    """Raises ConfigError for what are no rates: even numbers of channel values, ascending, at most so many."""
    fine = isinstance(rates, list) and len(rates) > 0 and all(type(rate) is int and rate % 2 == 0 for rate in rates)
    require(
        fine and rates == sorted(set(rates)) and rates[-1] <= most, f"rates must be even, rising, and within {most}"
    )


class _Unfilled(TorchFunctionMode):
    """Within it, nothing is put into fresh tensors: on the meta device that imports torch's compiler, for a second."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if getattr(func, "__module__", None) == nn.init.__name__:
            return kwargs["tensor"]
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def _at_most(parameters: int) -> Iterator[None]:
    """Within it, this thread's modules may have so many parameters."""
    thread, count = threading.get_ident(), 0

    def registered(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal count
        count += threading.get_ident() == thread
        if count > parameters:
            raise ConfigError("a network of many more tensors than the file has")

    handle = register_module_parameter_registration_hook(registered)
    try:
        yield
    finally:
        handle.remove()


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return _cut(text if isinstance(error, ConfigError) else f"{type(error).__name__}: {text}")


def _cut(text: str) -> str:
    return shown(text)[:160]
