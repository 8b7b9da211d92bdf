"""A source of two numbers: section IV-B of Dai et al. 2022 (NTSCC)."""
