"""Micrographs of an archive or a mirror: what an entry holds, and its files on this machine."""
