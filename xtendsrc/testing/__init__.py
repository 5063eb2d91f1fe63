"""What users of the package test with: a stand-in HEASoft and checks of conformance."""
