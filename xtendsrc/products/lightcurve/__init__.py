"""Products of kind ``lightcurve``."""
