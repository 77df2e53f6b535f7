"""Sidecar files that microscope programs write beside an image or a movie."""
