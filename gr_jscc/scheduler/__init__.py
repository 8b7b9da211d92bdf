"""What every block needs of GNU Radio: guards, workers, tags, messages, pacing. No maths."""
