"""``cryopick compare``: runs and coordinates of other programs, compared by picks or by maps."""
