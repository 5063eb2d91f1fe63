"""Products of kind ``ratemap``."""
