#!/usr/bin/env bash
# pykaira: `model(image, snr=…)` is what its documentation shows, and the SNR given so is ignored without a word.
#
# Seen with: pykaira 0.2.1, torch 2.13.0 (CPU build).
# One would expect: the example of DeepJSCCModel's docstring, `received = model(image, snr=10.0)`, sends over a channel of
#   10 dB; or it raises.
# What happens: the noise is that of the SNR with which AWGNChannel was made, whatever `snr` says, also `snr_db`.
# Where it comes from: SequentialModel hands all keyword arguments to every step, and every step's forward takes **kwargs
#   of which it uses what it knows. AWGNChannel.forward knows csi and noise, "additional keyword arguments (unused)".
# Why it matters: a sweep of an evaluation over `snr` is a flat line at one SNR, and a network trained with `snr` drawn at
#   random has seen a single one. A new AWGNChannel for each SNR, or setting channel.snr_db, does it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "torch==2.13.0" "numpy<3" seaborn
"$work/venv/bin/pip" install --quiet --no-deps "pykaira==0.2.1"
"$work/venv/bin/python" - <<'PY'
import importlib.metadata
import importlib.util
import math
import sys
import types

import torch

# Two bare packages: what their __init__.py import needs torchvision, torchaudio, CompressAI.
home = importlib.util.find_spec("kaira").submodule_search_locations[0]
for name, path in {"kaira": home, "kaira.models": f"{home}/models"}.items():
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [path]
from kaira.channels import AWGNChannel  # noqa: E402
from kaira.constraints import AveragePowerConstraint  # noqa: E402
from kaira.models.base import BaseModel  # noqa: E402
from kaira.models.deepjscc import DeepJSCCModel  # noqa: E402


class Same(BaseModel):
    def forward(self, x, *args, **kwargs):
        return x


print("pykaira", importlib.metadata.version("pykaira"), "torch", torch.__version__)
image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
sent = AveragePowerConstraint(1.0)(image)


def snr_db(made_with, **given):
    """What there was behind the channel, of a model made with one SNR and called with another."""
    torch.manual_seed(1)
    model = DeepJSCCModel(Same(), AveragePowerConstraint(1.0), AWGNChannel(snr_db=made_with), Same())
    return -10 * math.log10((model(image, **given) - sent).square().mean())


seen = {}
for made_with, given in ((10.0, {}), (10.0, {"snr": 0.0}), (10.0, {"snr": 30.0}), (10.0, {"snr_db": 30.0}), (30.0, {})):
    seen[made_with, *given.items()] = snr_db(made_with, **given)
    print(f"made with {made_with:.0f} dB, called with {given}: {seen[made_with, *given.items()]:.2f} dB")
*at_10, at_30 = seen.values()
as_seen = all(abs(found - 10) < 0.3 for found in at_10) and abs(at_30 - 30) < 0.3
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
