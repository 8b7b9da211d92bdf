"""gr-jscc: learned joint source-channel coding of images, over the air with GNU Radio.

The Python interface, which is loaded when it is asked for::

    from gr_jscc import send
    send("photo.jpg", codec="deepjscc", snr_db=10).psnr_db
"""

from typing import TYPE_CHECKING

from gr_jscc.home import ensure_home
from gr_jscc.on_demand import on_demand
from gr_jscc.threads import wait_asleep

if TYPE_CHECKING:
    from gr_jscc.codecs.registry import load_codec
    from gr_jscc.interface.evaluation import evaluate
    from gr_jscc.interface.flowgraph import FlowgraphLink
    from gr_jscc.interface.link import Link
    from gr_jscc.interface.radio import RadioLink
    from gr_jscc.interface.sending import send
    from gr_jscc.interface.sent import Sent
    from gr_jscc.interface.simulated import IdealLink, SimulatedLink

    __version__: str

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

# Before numba and GNU Radio are imported, which fail without a home, and PyTorch, whose threads must learn to wait.
HOME_REMARK = ensure_home()
wait_asleep()

_part = on_demand(__name__)


def __getattr__(name: str) -> object:
    """A part of the interface: torch and all else comes with the first one."""
    return _version() if name == "__version__" else _part(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """As installed; "0" in a copy that never was."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("gr-jscc")
    except PackageNotFoundError:
        return "0"
