"""Products of kind ``sourcespectrum``."""
