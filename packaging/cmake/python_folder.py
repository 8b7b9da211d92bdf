"""Prints where this Python looks for modules below a prefix, relative to it.

Usage: python_folder.py PREFIX
"""

import site
import sys
from pathlib import Path

prefix = Path(sys.argv[1]).resolve()
folders = [Path(folder) for folder in site.getsitepackages()]
below = [folder.relative_to(prefix) for folder in folders if folder.is_relative_to(prefix)]
own = [folder for folder in below if folder.parts[0] != "local"]  # /usr/local is no part of /usr
print(own[0] if own else "lib/python{}.{}/site-packages".format(*sys.version_info))
