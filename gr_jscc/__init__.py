"""gr-jscc: learned joint source-channel coding of images, over the air with GNU Radio.

The Python interface, which is loaded when it is asked for::

    from gr_jscc import send
    send("photo.jpg", codec="deepjscc", snr_db=10).psnr_db
"""

from importlib import import_module
from typing import TYPE_CHECKING

from gr_jscc.home import ensure_home

if TYPE_CHECKING:
    from gr_jscc.codecs.registry import load_codec
    from gr_jscc.interface.evaluation import evaluate
    from gr_jscc.interface.flowgraph import FlowgraphLink
    from gr_jscc.interface.link import Link
    from gr_jscc.interface.radio import RadioLink
    from gr_jscc.interface.sending import send
    from gr_jscc.interface.sent import Sent
    from gr_jscc.interface.simulated import IdealLink, SimulatedLink

__version__ = "0.1.0"
__all__ = [
    "FlowgraphLink",
    "IdealLink",
    "Link",
    "RadioLink",
    "Sent",
    "SimulatedLink",
    "evaluate",
    "load_codec",
    "send",
]

# Before numba and GNU Radio are imported, which fail without a home.
HOME_REMARK = ensure_home()

_WHERE = {
    "FlowgraphLink": "gr_jscc.interface.flowgraph",
    "IdealLink": "gr_jscc.interface.simulated",
    "Link": "gr_jscc.interface.link",
    "RadioLink": "gr_jscc.interface.radio",
    "Sent": "gr_jscc.interface.sent",
    "SimulatedLink": "gr_jscc.interface.simulated",
    "evaluate": "gr_jscc.interface.evaluation",
    "load_codec": "gr_jscc.codecs.registry",
    "send": "gr_jscc.interface.sending",
}


def __getattr__(name: str) -> object:
    """A part of the interface: torch and all else comes with the first one."""
    if name not in _WHERE:
        raise AttributeError(f"module 'gr_jscc' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
