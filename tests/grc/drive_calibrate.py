"""Runs the program compiled from calibrate.grc on two virtual radios, moves its sliders and changes the signal; prints
one JSON object a step and leaves a screenshot.

Usage: drive_calibrate.py CALIBRATE.py SCREENSHOT
"""

import importlib.util
import json
import os
import sys
import time

from PyQt5 import Qt

STEP_SECONDS = 25


def wait(application, done, what):
    """Runs the window until `done`."""
    end = time.monotonic() + STEP_SECONDS
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(what)
        application.processEvents()
        time.sleep(0.02)


def main(program, screenshot):
    spec = importlib.util.spec_from_file_location("calibrate", program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    application = Qt.QApplication(sys.argv[:1])
    air = f"soapy:driver=jscc,air=window-{os.getpid()}"
    window = module.calibrate(tx=f"{air},id=a", rx=f"{air},id=b,noise_dbfs=-50", profile="virtual")
    window.start()
    window.show()
    level = window.level.level
    # A tone of power 1, the profile's amplitude of 0.2 and the gains.
    for tx_gain, rx_gain in ((0, 0), (-10, 0), (-10, 5)):
        window.set_tx_gain(tx_gain)
        window.set_rx_gain(rx_gain)
        expected = tx_gain + rx_gain - 14.0
        wait(application, lambda expected=expected: abs(level() - expected) < 0.5, f"{expected} dBFS, but {level()}")
        print(json.dumps({"level": level()}), flush=True)
    symbols = window.noise_variances.nitems_read
    before = symbols(0)
    window.set_sent(1)
    wait(application, lambda: symbols(0) > 20_000, "no bursts")
    until = time.monotonic() + 1
    wait(application, lambda: time.monotonic() > until, "")
    print(json.dumps({"symbols_of_tones": before, "symbols_of_bursts": symbols(0)}), flush=True)
    window.grab().save(screenshot)
    window.stop()
    window.wait()
    radios = window.jscc_radio_sink_0, window.jscc_radio_source_0
    failures = [repr(radio.failure) for radio in radios if radio.failure]
    print(json.dumps({"failures": failures}), flush=True)


main(*sys.argv[1:])
