#!/usr/bin/env bash
# Filling a tensor of the meta device with normal numbers, which does nothing, imports PyTorch's compiler first.
#
# Seen with: torch 2.13.0 (CPU build), Python 3.11.
# One would expect: on the meta device, where tensors have shapes and no memory, `empty(3).normal_()` is the cheapest
#   thing there is; building a network there costs less than on the CPU.
# What happens: the first `normal_` (so the first nn.Embedding, or a layer whose own initialisation is normal) imports
#   torch._dynamo, sympy and what they need, some 800 modules and one to two seconds, once in a process. Tensors made
#   there, zeros_ and uniform_ (so nn.Linear and nn.Conv2d) import nothing of it.
# Where it comes from: normal_ is decomposed in Python for the meta device, and the registry of decompositions imports
#   the compiler's modules.
# Why it matters: to build on the meta device is how one checks a file's configuration before it may take memory, and
#   how large models are loaded. A program that loads a model of a few megabytes took 1 s longer to start. Remedy: leave
#   initialisation out while building there (a TorchFunctionMode that returns what functions of torch.nn.init were given).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "torch==2.13.0" "numpy<3" packaging
"$work/venv/bin/python" - <<'PY'
import subprocess
import sys

import torch

print("torch", torch.__version__)
PROGRAM = """
import sys, time, torch
before, began = len(sys.modules), time.perf_counter()
with torch.device("{device}"):
    {action}
seconds = time.perf_counter() - began
print(len(sys.modules) - before, "torch._dynamo" in sys.modules, seconds)
"""
CASES = [
    ("cpu", "torch.nn.Linear(4, 4)", False),
    ("meta", "torch.empty(3)", False),
    ("meta", "torch.nn.init.zeros_(torch.empty(3))", False),
    ("meta", "torch.nn.Linear(4, 4)", False),
    ("meta", "torch.empty(3).normal_()", True),
    ("meta", "torch.nn.Embedding(4, 4)", True),
]
changed = []
for device, action, expected in CASES:
    text = PROGRAM.format(device=device, action=action)
    told = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout.split()
    modules, compiler, seconds = int(told[0]), told[1] == "True", float(told[2])
    print(f"{device:5} {action:40} {modules:4} modules imported, the compiler {'too' if compiler else 'not'}, {seconds:.2f} s")
    if compiler != expected:
        changed.append(action)
sys.exit(f"the behaviour has changed: {', '.join(changed)}" if changed else 0)
PY
