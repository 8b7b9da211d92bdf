"""Runs the program compiled from rx_zmq.grc or rx_soapy.grc until its window has shown a whole picture; leaves a
screenshot.

Usage: drive_receiver.py PROGRAM.py SCREENSHOT RADIO BACK_CHANNEL FOLDER
"""

import importlib.util
import sys
import time
from pathlib import Path

from PyQt5 import Qt

WAIT_SECONDS = 90
STORING_SECONDS = 3


def main(program, screenshot, radio, back, folder):
    name = Path(program).stem
    spec = importlib.util.spec_from_file_location(name, program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    application = Qt.QApplication(sys.argv[:1])
    window = getattr(module, name)(radio=radio, back=back, folder=folder)
    window.start()
    window.show()
    print("receiver runs", flush=True)
    view = window.jscc_image_view_sink_0.qwidget()
    end = time.monotonic() + WAIT_SECONDS
    while view.result is None or not view.result.final:
        if time.monotonic() > end:
            raise TimeoutError("no picture arrived")
        application.processEvents()
        time.sleep(0.02)
    until = time.monotonic() + STORING_SECONDS
    while time.monotonic() < until:
        application.processEvents()
        time.sleep(0.02)
    window.grab().save(screenshot)
    window.stop()
    window.wait()


main(*sys.argv[1:])
