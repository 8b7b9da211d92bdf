"""The stream tag of the sources that are devices.

``overflow``, true: samples were lost before this one.
"""

from __future__ import annotations

import pmt

OVERFLOW = pmt.intern("overflow")
