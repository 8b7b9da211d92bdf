"""Runs a program that Companion made, with a window, until its image view tells of trouble and has shown so many
pictures; prints what it says as JSON and leaves a screenshot.

Usage: drive_trouble.py PROGRAM.py SCREENSHOT PICTURES SETTER=VALUE…
"""

import importlib.util
import json
import sys
import time
from pathlib import Path

from PyQt5 import Qt

STEP_SECONDS = 60


def main(program, screenshot, pictures, *changes):
    name = Path(program).stem
    spec = importlib.util.spec_from_file_location(name, program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    application = Qt.QApplication(sys.argv[:1])
    window = getattr(module, name)()
    view = window.jscc_image_view_sink_0.qwidget()
    names = []
    window.start()
    window.show()
    for change in changes:  # as a slider does, in the window's thread
        setter, _, value = change.partition("=")
        Qt.QTimer.singleShot(0, lambda setter=setter, value=value: getattr(window, setter)(float(value)))
    end = time.monotonic() + STEP_SECONDS
    while not view.trouble.isVisible() or len(names) < int(pictures):
        if time.monotonic() > end:
            raise TimeoutError(f"{names}, {view.trouble.text()!r}, {window.jscc_encoder_0.failure}")
        application.processEvents()
        if view.result is not None and view.result.report["image"]["name"] not in names:
            names.append(view.result.report["image"]["name"])
        time.sleep(0.02)
    application.processEvents()
    window.grab().save(screenshot)
    said = {"names": names, "trouble": view.trouble.text(), "message": view.received.message}
    print(json.dumps(said), flush=True)
    window.stop()
    window.wait()


main(*sys.argv[1:])
