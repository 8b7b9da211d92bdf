"""Runs from a plain checkout without installing: ``python -m host train …``."""

from gr_jscc.host.main import main

main()
