#!/usr/bin/env bash
# A fused AdamW that is handed moments in another memory layout than its parameter's mixes up their elements, silently.
#
# Seen with: torch 2.13.0 (CPU build) and safetensors 0.8.0.
# One would expect: an optimiser whose moments were saved and loaded goes on as if nothing had happened, or raises.
# What happens: safetensors stores plain row-major arrays, so the moments of a channels_last convolution kernel come back
#   row-major. `load_state_dict` keeps that layout. With fused=False the next steps are right; with fused=True (CPU) the
#   kernel walks parameter, gradient and moments in the order of memory, and every element gets another one's moments.
#   No error, no warning, and the loss goes on falling: it only looks like a bad restart.
# Where it comes from: moments live as `torch.zeros_like(parameter, memory_format=preserve_format)`, so layouts agree
#   until a file format that has no layouts comes between. torch.save keeps strides and does not show it.
# Why it matters: training of image codecs is in channels_last, and checkpoints without pickles are safetensors. A run
#   that was stopped then ends elsewhere than one that was not. Remedy: copy each loaded moment into
#   `torch.empty_like(parameter)`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "torch==2.13.0" "safetensors==0.8.0" "numpy<3" packaging
"$work/venv/bin/python" - "$work" <<'PY'
import sys
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file, save_file

print("torch", torch.__version__, "safetensors", safetensors.__version__)
file = str(Path(sys.argv[1]) / "moments.safetensors")


def trained(fused, through_a_file):
    """A channels_last kernel after six seeded steps, its moments saved and loaded after the third."""
    generator = torch.Generator().manual_seed(1)

    def draw():
        return torch.randn(8, 4, 3, 3, generator=generator).contiguous(memory_format=torch.channels_last)

    kernel = torch.nn.Parameter(draw())
    optimiser = torch.optim.AdamW([kernel], 1e-2, fused=fused, foreach=False)
    for step in range(6):
        if step == 3 and through_a_file:
            content = optimiser.state_dict()
            moments = {key: content["state"][0][key].contiguous() for key in ("exp_avg", "exp_avg_sq")}
            save_file(moments, file)
            content["state"][0].update(load_file(file))
            optimiser.load_state_dict(content)
        kernel.grad = draw()
        optimiser.step()
    return kernel.detach()


truth = trained(False, False)
wrong = {}
for fused in (False, True):
    for through_a_file in (False, True):
        wrong[fused, through_a_file] = float((trained(fused, through_a_file) - truth).abs().max())
        print(f"fused={fused!s:5} through a file={through_a_file!s:5}: differs by up to {wrong[fused, through_a_file]:.4f}")
as_seen = max(wrong[False, False], wrong[False, True], wrong[True, False]) < 1e-6 and wrong[True, True] > 1e-3
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
