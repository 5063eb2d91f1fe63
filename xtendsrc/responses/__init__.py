"""Redistribution matrices and effective areas at the level of calibration files."""
