#!/usr/bin/env bash
# pykaira: soft bits of QPSK have the sign that is the opposite of BPSK's, of QAM's, and of what its decoders expect.
#
# Seen with: pykaira 0.2.1, torch 2.13.0 (CPU build).
# One would expect: QPSKDemodulator's own comment, "LLR = log(P(bit=0|y)/P(bit=1|y))": positive for a 0, as BPSKDemodulator
#   says of itself ("negative LLR means bit 1 is more likely") and as the decoders of kaira.models.fec read it.
# What happens: at 10 dB the signs of 99.9 % of QPSKDemodulator's soft bits are wrong, and 0.1 % of QAMDemodulator(4)'s,
#   which has the same four points. After decoding a linear code by belief propagation 93 % of QPSK's bits are wrong and
#   none of 4-QAM's. Hard decisions are right in all of them.
# Where it comes from: modulations/psk.py. QPSKDemodulator subtracts the distance to the 0s from that to the 1s, as one
#   would with distances; but _min_distance_to_points returns them negative ("minimum negative distance").
# Why it matters: pykaira is the toolbox of this field that sets DeepJSCC beside separate coding. With QPSK, where one
#   begins, the separate half fails at any SNR, and it looks like a cliff.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile "torch==2.13.0" "numpy<3" matplotlib
"$work/venv/bin/pip" install --quiet --no-compile --no-deps "pykaira==0.2.1"
"$work/venv/bin/python" - <<'PY'
import importlib.metadata
import importlib.util
import sys
import types

import torch

# Two bare packages: what their __init__.py import needs torchvision, torchaudio, CompressAI.
home = importlib.util.find_spec("kaira").submodule_search_locations[0]
for name, path in {"kaira": home, "kaira.models": f"{home}/models"}.items():
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [path]
sys.modules["requests"] = types.ModuleType("requests")  # to download codes
from kaira.models.fec.decoders import BeliefPropagationDecoder  # noqa: E402
from kaira.models.fec.encoders import LDPCCodeEncoder  # noqa: E402
from kaira.modulations.psk import BPSKDemodulator, BPSKModulator, QPSKDemodulator, QPSKModulator  # noqa: E402
from kaira.modulations.qam import QAMDemodulator, QAMModulator  # noqa: E402

print("pykaira", importlib.metadata.version("pykaira"), "torch", torch.__version__)
torch.manual_seed(1)
checks = torch.tensor([[1, 0, 1, 1, 0, 0], [0, 1, 1, 0, 1, 0], [0, 0, 0, 1, 1, 1]], dtype=torch.float32)
encoder = LDPCCodeEncoder(check_matrix=checks)
decoder = BeliefPropagationDecoder(encoder, bp_iters=10)
message = torch.randint(0, 2, (500, encoder.code_dimension)).float()
word = encoder(message)
N0 = 0.1

wrong = {}
for name, modulator, demodulator in (
    ("BPSK", BPSKModulator(), BPSKDemodulator()),
    ("4-QAM", QAMModulator(4), QAMDemodulator(4)),
    ("QPSK", QPSKModulator(), QPSKDemodulator()),
):
    symbols = modulator(word).to(torch.complex64)
    received = symbols + N0**0.5 * torch.randn_like(symbols)
    soft = demodulator(received, noise_var=N0)
    wrong[name] = [
        float((found != sent).float().mean())
        for found, sent in (
            (demodulator(received), word),
            ((soft < 0).float(), word),
            (decoder(soft), message),
        )
    ]
    shares = "{:.1%} of hard decisions, {:.1%} of the soft bits' signs, {:.1%} after decoding".format(*wrong[name])
    print(f"{name} at 10 dB: wrong are {shares}")
good = all(value < 0.01 for name in ("BPSK", "4-QAM") for value in wrong[name])
hard, soft, decoded = wrong["QPSK"]
as_seen = good and hard < 0.01 and soft > 0.99 and decoded > 0.9
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
