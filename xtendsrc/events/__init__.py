"""Event files: lists, headers, good time, clocks, coordinates of columns, and FITS tables read and written."""
