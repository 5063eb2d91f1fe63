"""Products of kind ``image``."""
