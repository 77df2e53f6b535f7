"""Micrographs: finding files, reading them, and preparing their pixels."""
