"""``cryopick self-train``: a run's model is trained on a teacher's picks, without labels."""
