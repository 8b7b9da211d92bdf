"""What two impairments of the air at a time cost the receiver: a table for docs/results/modem.md.

    python scripts/impairment-pairs.py --bursts 40

Bursts of Gaussian symbols cross impairments of docs/reference/channel.md, each alone and each two together, and white
noise. A cell is the signal to distortion, in dB, of the linear MMSE estimate that a codec can make of what it is given;
of a missed burst it can make nothing, and how many were missed is in brackets. Below the table are the pairs whose
distortion exceeds by 1 dB what each of the two adds to the noise.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from gr_jscc.benchmarks.modem import USUAL, gaussian_symbols
from gr_jscc.channel.scenario import Scenario
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem import BurstHeader, BurstKind, StreamDemodulator, modulate
from gr_jscc.modem.numerology_file import load_numerology

#: As bad as a link may meet them.
IMPAIRMENTS: dict[str, dict] = {
    "clipping": {"level_db": 6.0},
    "multipath": {"taps": [1, 0, [0.3, -0.2]]},
    "block_fading": {"delay_spread": 2.0},
    "doppler_fading": {"doppler_hz": 20.0, "delay_spread": 1.0},
    "interference": {"share": 0.05, "power_db": -3.0, "length": 300},
    "cfo": {"cycles_per_sample": 0.01},
    "phase_noise": {"rms_degrees": 1.0},
    "sfo": {"ppm": 20.0},
    "iq_imbalance": {"gain_db": 0.5, "phase_degrees": 3.0},
    "dc_offset": {"level_db": -10.0},
    "quantiser": {"bits": 5},
    "drops": {"share": 0.01, "length": 200},
}
#: Of these a channel has one.
FADING = {"multipath", "block_fading", "doppler_fading"}
GAP = np.zeros(400, np.complex64)
APART_DB = 1.0


def distortion(tables: dict[str, dict], bursts: int, snr_db: float, settings: LinkSettings) -> tuple[float, int]:
    """The distortion of symbols of power 1, and how many bursts were missed.

    Args:
        tables: the impairments, as a scenario has them.
        bursts, settings: how many, and of how many symbols in which numerology.
        snr_db: Es/N0 of the noise besides.
    """
    rng, layout, count = np.random.default_rng(1), settings.numerology, settings.burst_symbols
    sent = [gaussian_symbols(count, rng) for _ in range(bursts)]
    headers = [BurstHeader(BurstKind.ANALOG, 1, 0, index, bursts, count) for index in range(bursts)]
    parts = [GAP]
    for header, symbols in zip(headers, sent):
        parts += [modulate(header, symbols, layout), GAP]
    scenario, demodulator = Scenario(tables | {"awgn": {"snr_db": snr_db}}), StreamDemodulator(layout)
    received = demodulator.push(scenario.process(np.concatenate(parts))) + demodulator.flush()
    found = {burst.header.index: burst.symbols / (1 + burst.noise_var) for burst in received}
    nothing = np.zeros(count)
    errors = [np.mean(np.abs(found.get(index, nothing) - symbols) ** 2) for index, symbols in enumerate(sent)]
    return float(np.mean(errors)), bursts - len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bursts", type=int, default=40, help="of each cell")
    parser.add_argument("--snr", type=float, default=15.0, help="Es/N0, dB")
    parser.add_argument("--numerology", default="64")
    parser.add_argument("--burst-symbols", type=int, default=USUAL.burst_symbols)
    asked = parser.parse_args()
    settings = LinkSettings(burst_symbols=asked.burst_symbols, numerology=load_numerology(asked.numerology))

    def measure(*names: str) -> tuple[float, int]:
        return distortion({name: IMPAIRMENTS[name] for name in names}, asked.bursts, asked.snr, settings)

    def cell(got: float, missed: int) -> str:
        return f"{-10 * math.log10(got):.1f}" + (f" ({missed})" if missed else "")

    names, worse = list(IMPAIRMENTS), []
    noise, _ = measure()
    print(f"With noise alone {cell(noise, 0)} dB.\n")
    print("| | " + " | ".join(f"`{name}`" for name in names) + " |")
    print("|---|" + "---|" * len(names))
    alone = {name: measure(name) for name in names}
    for row, first in enumerate(names):
        cells = [""] * row + [cell(*alone[first])]
        for second in names[row + 1 :]:
            if {first, second} <= FADING:
                cells.append("")
                continue
            got, missed = measure(first, second)
            cells.append(cell(got, missed))
            added = 10 * math.log10(got / (alone[first][0] + alone[second][0] - noise))
            if added > APART_DB:
                worse.append(f"`{first}` with `{second}`: {added:.1f} dB worse than what the two add.")
        print(f"| `{first}` | " + " | ".join(cells) + " |", flush=True)
    print("\n" + ("\n".join(worse) or "No pair is worse than what the two add."))


if __name__ == "__main__":
    main()
