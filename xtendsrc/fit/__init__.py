"""Spectral fitting: models, statistics and the minimiser."""
