"""Runs the program compiled from loopback.grc and moves its sliders; prints one JSON object a step.

Usage: drive_loopback.py LOOPBACK.py PICTURE
"""

import importlib.util
import json
import sys
import time

import numpy as np
from PyQt5 import Qt

STEP_SECONDS = 30


def grab(widget):
    """What a widget shows, uint8[H, W, 4]."""
    image = widget.grab().toImage().convertToFormat(Qt.QImage.Format_RGB32)
    data = image.bits().asstring(image.byteCount())
    return np.frombuffer(data, np.uint8).reshape(image.height(), image.width(), 4)


def wait(application, view, snr, cfo_hz):
    """Runs the window until it shows a picture that crossed under these conditions."""

    def crossed(report):
        link = report["link"]
        return report["snr_db"] == snr and abs(link["snr_est_db"] - snr) < 1 and abs(link["cfo_hz"] - cfo_hz) < 50

    end = time.monotonic() + STEP_SECONDS
    while time.monotonic() < end:
        application.processEvents()
        result = view.qwidget().result
        if view.failure is not None:
            raise view.failure
        if result is not None and crossed(result.report):
            return result
        time.sleep(0.02)
    raise TimeoutError(f"not within {STEP_SECONDS} s; the last report: {result and result.report}")


def main(program, picture):
    spec = importlib.util.spec_from_file_location("loopback", program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    application = Qt.QApplication(sys.argv[:1])
    window = module.loopback(images=picture)
    window.start()
    window.show()
    view = window.jscc_image_view_sink_0
    before = None
    for snr, cfo in ((20, 0.0), (0, 0.0), (0, 1.5)):
        window.set_snr(snr)
        window.set_cfo(cfo)
        result = wait(application, view, snr, cfo * window.samp_rate / window.fft_size)
        shown = grab(view.qwidget().received)
        difference = None if before is None else float(np.mean(np.abs(shown.astype(int) - before)))
        before = shown.astype(int)
        figures = {name: figure.value for name, figure in view.qwidget().figures.items()}
        print(json.dumps({"report": result.report, "difference": difference, "figures": figures}), flush=True)
    window.close()  # stops the flowgraph
    print(json.dumps({"closed": True, "failure": repr(view.failure)}), flush=True)


main(*sys.argv[1:])
