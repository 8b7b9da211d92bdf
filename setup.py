"""The list of packages; everything else is in pyproject.toml.

The folders host/ and calibration/ stand at the top of the repository but must not become top-level module names: a
built package has them as gr_jscc.host and gr_jscc.calibration, in place of the pointers that stand there in a checkout.
"""

from setuptools import find_namespace_packages, setup

MAPPED = {"gr_jscc.host": "host", "gr_jscc.calibration": "calibration"}
NOT_PACKAGES = ["__pycache__", "*.__pycache__", "*.__pycache__.*"]

packages = find_namespace_packages(include=["gr_jscc", "gr_jscc.*"], exclude=NOT_PACKAGES)
for name, folder in MAPPED.items():
    packages += [f"{name}.{inner}" for inner in find_namespace_packages(folder, exclude=NOT_PACKAGES)]

setup(packages=packages, package_dir={"gr_jscc": "gr_jscc", **MAPPED})
