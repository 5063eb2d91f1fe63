"""What a user holds: sources and samples of them, observations and their data classes."""
