"""Recordings of the air: annotated while they are made, looked at, and replayed."""
