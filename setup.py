"""The lists of packages and of files outside of them; everything else is in pyproject.toml.

The folders host/, calibration/ and flowgraphs/ stand at the top of the repository but must not become top-level module
names: a built package has them in gr_jscc, the first two in place of the pointers that stand there in a checkout.
"""

from collections import defaultdict
from pathlib import Path

from setuptools import find_namespace_packages, setup

MAPPED = {"gr_jscc.host": "host", "gr_jscc.calibration": "calibration", "gr_jscc.data.flowgraphs": "flowgraphs"}
NOT_PACKAGES = ["__pycache__", "*.__pycache__", "*.__pycache__.*"]

packages = find_namespace_packages(include=["gr_jscc", "gr_jscc.*"], exclude=NOT_PACKAGES)
packages += [name for name in MAPPED if name not in packages]
for name, folder in MAPPED.items():
    packages += [f"{name}.{inner}" for inner in find_namespace_packages(folder, exclude=NOT_PACKAGES)]

# Where GNU Radio Companion looks for blocks below a prefix, and the pages that messages name.
shared = defaultdict(list)
for file in sorted(Path("gr_jscc/grc").glob("*.yml")):
    shared["share/gnuradio/grc/blocks"].append(str(file))
for file in sorted(Path("docs").rglob("*.md")):
    shared[str("share/doc/gr-jscc" / file.parent)].append(str(file))

setup(packages=packages, package_dir={"gr_jscc": "gr_jscc", **MAPPED}, data_files=sorted(shared.items()))
