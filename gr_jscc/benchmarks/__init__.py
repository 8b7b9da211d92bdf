"""One file for each thing that is measured, and pages of results."""
