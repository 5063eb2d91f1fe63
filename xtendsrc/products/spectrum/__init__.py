"""Products of kind ``spectrum``."""
