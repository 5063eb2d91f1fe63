"""Products of kind ``expmap``."""
