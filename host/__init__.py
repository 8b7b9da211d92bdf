"""The programs a person runs: ``gr-jscc …``."""
