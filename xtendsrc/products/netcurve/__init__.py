"""Products of kind ``netcurve``."""
