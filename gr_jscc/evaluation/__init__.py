"""Metrics, channel-use accounting, reports and plots."""
