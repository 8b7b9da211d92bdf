"""Runs an example with a window, moves its sliders, and prints what came through; for test_examples.py.

Arguments: the program that Companion made. Needs a display.
"""

import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np
from gnuradio import blocks
from PyQt5 import Qt

STEP_SECONDS = 25


def wait(application, ready):
    """Lets the window live until `ready` returns something, and returns it."""
    end = time.monotonic() + STEP_SECONDS
    while time.monotonic() < end:
        application.processEvents()
        if (result := ready()) is not None:
            return result
        time.sleep(0.02)
    raise TimeoutError(f"not within {STEP_SECONDS} s")


def drive_demodulator(window, application):
    symbols, noise_var = blocks.vector_sink_c(), blocks.vector_sink_f()
    window.connect((window.jscc_ofdm_demodulator_0, 0), symbols)
    window.connect((window.jscc_ofdm_demodulator_0, 1), noise_var)
    size = len(window.symbols)

    def two_bursts():
        """Of what came out last, as far as it is of the new SNR."""
        got, variances = np.array(symbols.data()), np.array(noise_var.data())
        bursts = min(len(got), len(variances)) // size
        last = slice((bursts - 2) * size, bursts * size)
        if bursts < 2 or abs(-10 * np.log10(np.mean(variances[last])) - window.snr) > 1:
            return None
        error = got[last] - np.tile(window.symbols, 2)
        return {
            "snr": window.snr,
            "error_db": 10 * np.log10(np.mean(np.abs(error) ** 2)),
            "shown": window.qtgui_const_sink_x_0.nitems_read(0),
        }

    window.start()
    for snr, cfo in ((20, 0.3), (5, -1.2)):
        window.set_snr(snr)
        window.set_cfo(cfo)
        yield wait(application, two_bursts)


def drive_view(window, application):
    view = window.jscc_image_view_sink_0

    def picture():
        result = view.qwidget().result
        return None if result is None or view.failure else result.report

    window.start()
    yield wait(application, picture) | {"pictures": view.qwidget().figures["Pictures"].value}


def drive_video(window, application):
    view = window.jscc_video_sink_0.qwidget()

    def two_frames():
        return None if len(view.chart.moments) < 2 else view.figures

    window.start()
    figures = wait(application, two_frames)
    yield {name: getattr(figures, name) for name in ("psnr_db", "frozen", "latency_ms")} | {
        "moments": len(view.chart.moments)
    }


def main(program):
    program = Path(program)
    spec = importlib.util.spec_from_file_location(program.stem, program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    application = Qt.QApplication(sys.argv[:1])
    window = getattr(module, program.stem)()
    window.show()
    drives = {
        "ofdm_demodulator_example": drive_demodulator,
        "image_view_sink_example": drive_view,
        "video_sink_example": drive_video,
    }
    drive = drives[program.stem]
    for figures in drive(window, application):
        print(json.dumps(figures), flush=True)
    window.close()  # stops the flowgraph
    print(json.dumps("closed"), flush=True)


main(*sys.argv[1:])
