"""The programs. In a checkout they lie in ``host/`` at its top, in a built package here.

So whichever copy of ``gr_jscc`` is imported brings its own programs.
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / "host")]
