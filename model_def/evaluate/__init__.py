"""Validation metrics: exact, none missing, one evaluation on any number of processes."""
