"""``cryopick plan``: what a run will cost."""
