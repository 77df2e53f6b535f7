"""Coordinates in other programs' file formats, read and written."""
