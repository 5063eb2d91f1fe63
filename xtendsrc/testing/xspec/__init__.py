"""A stand-in for PyXspec, for tests of the engine that talks to it; see ``xspec.py`` beside this file."""
