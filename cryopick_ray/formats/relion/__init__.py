"""RELION's files: coordinates of one micrograph, lists of them, particles, job folders."""
