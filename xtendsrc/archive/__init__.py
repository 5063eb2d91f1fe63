"""The XRISM archive: where files are on disk, and how to find and download them."""
