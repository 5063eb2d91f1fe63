"""Products of kind ``rmf``."""
