"""gr-jscc: learned joint source-channel coding of images, over the air with GNU Radio."""

from gr_jscc.home import ensure_home

__version__ = "0.1.0"

# Before numba and GNU Radio are imported, which fail without a home.
HOME_REMARK = ensure_home()
