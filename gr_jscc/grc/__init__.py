"""Blocks as GNU Radio Companion shows them, and what only Companion needs of them."""
