"""Hierarchical JSCC, with feedback and without."""
