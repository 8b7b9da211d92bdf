"""Runs from a plain checkout without installing: ``python -m host train …``."""

from .main import main

main()
