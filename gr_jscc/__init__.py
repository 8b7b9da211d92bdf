"""gr-jscc: learned joint source-channel coding of images, over the air with GNU Radio."""

__version__ = "0.1.0"
