"""Products of kind ``arf``."""
