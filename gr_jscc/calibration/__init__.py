"""The calibration procedures. In a checkout they lie in ``calibration/`` at its top, in a built package here.

So whichever copy of ``gr_jscc`` is imported brings its own procedures.
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / "calibration")]
