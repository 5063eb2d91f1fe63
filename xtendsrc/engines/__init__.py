"""How a request becomes files: HEASoft's own tasks, or the same products from NumPy."""
