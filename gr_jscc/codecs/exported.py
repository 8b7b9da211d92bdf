"""Models that were exported from any framework, as a codec: TorchScript, `torch.export` and ONNX files.

A small TOML file names the two halves and says how they are called:

    encoder = "encoder.onnx"    # .onnx, .pt2 of torch.export, .pt or .ts of TorchScript; relative to this file
    decoder = "decoder.onnx"
    multiple = 16               # and the other options of `gr_jscc.codecs.torch_codec.TorchCodec`

It goes where weights go: ``--codec gr_jscc.codecs.exported:Exported --weights my-model.toml``.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.codecs.base import CodecError
from gr_jscc.codecs.torch_codec import OPTIONS, TorchCodec, arguments
from gr_jscc.files.toml import read_toml
from gr_jscc.plugins import blame

PARTS = ("encoder", "decoder")


class Exported(TorchCodec):
    """Two exported files as a codec.

    Args:
        weights: the TOML file, see the module.
        device: a torch device.

    Raises:
        CodecError: no such file, not what it should hold, or a half that cannot be read.

    Example:
        >>> Exported()
        Traceback (most recent call last):
        gr_jscc.codecs.base.CodecError: exported: --weights must name a TOML file with encoder and decoder
    """

    name = "exported"

    def modules(self, weights: str | Path | None) -> tuple[nn.Module, nn.Module]:
        if not weights:
            raise CodecError("exported: --weights must name a TOML file with encoder and decoder")
        path = Path(weights)
        values = read_toml("exported model", path, CodecError)
        for key, value in values.items():
            if key not in PARTS + OPTIONS:
                raise CodecError(f"{path}: unknown key {key!r}; known: {', '.join(PARTS + OPTIONS)}")
            if not _is_like(value, getattr(TorchCodec, key, "")):
                raise CodecError(f"{path}: {key} cannot be {value!r}")
            if key not in PARTS:
                setattr(self, key, tuple(value) if isinstance(value, list) else value)
        if missing := [part for part in PARTS if part not in values]:
            raise CodecError(f"{path}: {missing[0]} is missing")
        return tuple(exported_module(path.parent / values[part]) for part in PARTS)


def _is_like(value: object, default: object) -> bool:
    """Whether an option can have a value."""
    if isinstance(default, tuple):
        return isinstance(value, list) and len(value) == 2 and all(_is_like(one, 0.0) for one in value)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, int):
        return isinstance(value, int) and value >= 0
    return isinstance(value, (int, float) if isinstance(default, float) else str)


class Batched(nn.Module):
    """What was exported, called with any number of pictures even where it takes a fixed number.

    Args:
        inner: what was exported.
        names: of its arguments, in order.
        batch: pictures that it takes at a time; 0 for any number.
        content: bytes by which it is known.

    Example:
        >>> Batched(lambda x: 2 * x, ["x"], batch=2, content=b"")(torch.ones(3)).tolist()
        [2.0, 2.0, 2.0]
    """

    def __init__(self, inner: Callable[..., Tensor], names: list[str], batch: int, content: bytes) -> None:
        super().__init__()
        self.inner, self.names, self.batch = inner, names, batch
        self.register_buffer("content", torch.tensor(list(hashlib.sha256(content).digest()), dtype=torch.uint8))

    def train(self, mode: bool = True) -> Batched:
        return self  # exported modules know no modes, and those of `torch.export` refuse to be asked

    def forward(self, *inputs: Tensor) -> Tensor:
        if not self.batch:
            return self.inner(*inputs)
        count = len(inputs[0])
        missing = -count % self.batch
        padded = [F.pad(x, [0, 0] * (x.ndim - 1) + [0, missing]) for x in inputs]
        parts = zip(*(x.split(self.batch) for x in padded), strict=True)
        return torch.cat([self.inner(*part) for part in parts])[:count]


def exported_module(path: Path) -> nn.Module:
    """A half from its file.

    Raises:
        CodecError: no such file, one of another kind, or one that cannot be read.
    """
    readers: dict[str, Callable[[Path], nn.Module]] = {".onnx": _onnx, ".pt2": _torch_export, ".pt": _script}
    readers[".ts"] = _script
    if path.suffix not in readers:
        raise CodecError(f"{path}: exported models end in {', '.join(readers)}")
    if not path.is_file():
        raise CodecError(f"no such file: {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, but the files are there
            return readers[path.suffix](path)
    except CodecError:
        raise
    except Exception as error:
        raise CodecError(
            f"{path} cannot be read: {type(error).__name__}: {blame(error).rpartition(': ')[2]}"
        ) from error


def _script(path: Path) -> nn.Module:
    module = torch.jit.load(str(path), map_location="cpu").eval()
    return Batched(module, [name for name, needed in arguments(module) if needed], 0, path.read_bytes())


def _torch_export(path: Path) -> nn.Module:
    program = torch.export.load(str(path))
    names = list(program.graph_signature.user_inputs)
    first = next(node for node in program.graph.nodes if node.op == "placeholder" and node.name == names[0])
    batch = first.meta["val"].shape[0]
    return Batched(program.module(), names, batch if isinstance(batch, int) else 0, path.read_bytes())


def _onnx(path: Path) -> nn.Module:
    try:
        import onnxruntime
    except ImportError as error:
        raise CodecError(f"{path}: ONNX files need onnxruntime: pip install 'gr-jscc[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the modem needs the core as well
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()

    def run(*values: Tensor) -> Tensor:
        fed: dict[str, Any] = {}
        for described, value in zip(inputs, values):
            half = described.type == "tensor(float16)"
            fed[described.name] = value.detach().cpu().numpy().astype("float16" if half else "float32")
        return torch.from_numpy(session.run(None, fed)[0]).float().to(values[0].device)

    batch = inputs[0].shape[0]
    names = [described.name for described in inputs]
    return Batched(run, names, batch if isinstance(batch, int) else 0, path.read_bytes())
