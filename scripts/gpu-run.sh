#!/usr/bin/env bash
# Timed training on a machine that has a copy of this folder, a GPU, and a Python with torch, safetensors, Pillow, typer
# and rich; nothing is installed. `make gpu-pack` has put photos into build/gpu-pack before.
#
#   scripts/gpu-run.sh RECIPE:MINUTES [RECIPE:MINUTES …]
#
# Recipes follow each other, so that a later one can start from an earlier one. Weights (averaged, half precision) and
# logs are left in $OUT, build/gpu-run unless set. $DEVICE is cuda and $PACK build/gpu-pack, likewise; $PYTHON is that of
# .venv where `make setup` made one, else python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${OUT:-build/gpu-run} pack=${PACK:-build/gpu-pack} device=${DEVICE:-cuda} python=${PYTHON:-.venv/bin/python}
[ -n "${PYTHON:-}" ] || [ -x "$python" ] || python=python3
[ $# -gt 0 ] || { echo "usage: $0 RECIPE:MINUTES [RECIPE:MINUTES ...]" >&2; exit 2; }
for folder in train validation; do
    [ -d "$pack/$folder" ] || { echo "$pack/$folder is missing: make gpu-pack makes it" >&2; exit 2; }
done
"$python" -c "import torch, safetensors, PIL, typer, rich" 2>/dev/null ||
    { echo "$python lacks some of torch, safetensors, Pillow, typer and rich; name another: PYTHON=…" >&2; exit 2; }
mkdir -p "$out"
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
for run in "$@"; do
    recipe=${run%:*} minutes=${run##*:} name=$(basename "${run%:*}" .toml)
    [ "$recipe" != "$minutes" ] || { echo "$run: minutes are missing, as in ntscc-gpu:9" >&2; exit 2; }
    PYTHONPATH=$PWD "$python" -u -m host.train "$recipe" --data "$pack/train" --validation "$pack/validation" \
        --device "$device" --max-minutes "$minutes" --out "$runs/$name" &
    training=$!
    # What is there is kept as it comes: the machine may be taken away at any time.
    keep() {
        cp "$runs/$name"/*.safetensors "$out/.part" && mv "$out/.part" "$out/$name.safetensors"
        cp "$runs/$name/log.jsonl" "$out/$name.jsonl"
    }
    while kill -0 $training 2>/dev/null; do
        sleep 1
        keep 2>/dev/null || true
    done
    wait $training
    keep
done
ls -l "$out"
