"""Nonlinear transform source-channel coding (Dai et al. 2022)."""
