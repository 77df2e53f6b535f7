"""``cryopick watch``: a run that goes on while micrographs come."""
