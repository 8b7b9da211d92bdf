"""Sweeps: experiments as TOML files, their cells, the store that results go to, and running them on Dask.

docs/guide/sweeps.md is for people who write experiments.
"""
