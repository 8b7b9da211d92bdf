"""How good received pictures are, and how much better one curve of them is than another."""
