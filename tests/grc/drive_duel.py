"""Runs the program compiled from duel.grc and moves its slider; prints one JSON object a step.

Usage: drive_duel.py DUEL.py [FOLDER]; in the folder, if there is one, a picture of the window is left for each step.
"""

import importlib.util
import json
import sys
import time

from PyQt5 import Qt

STEP_SECONDS = 45


def wait(application, window, snr):
    """Runs the window until both sides have shown, or lost, three frames at this SNR; their latest figures."""
    views = [window.jscc_video_sink_0.qwidget(), window.jscc_video_sink_1.qwidget()]
    came = [[], []]
    end = time.monotonic() + STEP_SECONDS
    while time.monotonic() < end:
        application.processEvents()
        for view, figures in zip(views, came):
            new = view.figures
            if new is not None and new not in figures and new.snr_db is not None and abs(new.snr_db - snr) < 1:
                figures.append(new)
        if all(len(figures) >= 3 for figures in came):
            return [figures[-1] for figures in came]
        time.sleep(0.02)
    raise TimeoutError(f"not within {STEP_SECONDS} s: {[len(figures) for figures in came]}")


def main(program, folder=""):
    spec = importlib.util.spec_from_file_location("duel", program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    application = Qt.QApplication(sys.argv[:1])
    window = module.duel(rival="jpeg2000:10dB")  # is searched for in less time than HEVC
    window.start()
    window.show()
    for snr in (15, 0):
        window.set_snr(snr)
        sides = wait(application, window, snr)
        if folder:
            window.grab().save(f"{folder}/duel-{snr}dB.png")
        names = ("psnr_db", "snr_db", "cbr", "latency_ms", "frozen", "lost", "dropped")
        print(json.dumps([{name: getattr(side, name) for name in names} for side in sides]), flush=True)
    window.close()  # stops the flowgraph
    failures = [repr(sink.failure) for sink in (window.jscc_video_sink_0, window.jscc_video_sink_1)]
    print(json.dumps(failures), flush=True)


main(*sys.argv[1:])
