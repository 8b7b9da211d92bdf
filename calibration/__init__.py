"""Calibration procedures and device profiles; installed as ``gr_jscc.calibration``."""
