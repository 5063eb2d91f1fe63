"""Products of kind ``fit``."""
