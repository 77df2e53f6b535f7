"""``cryopick teach``: a person's marks teach a run's model."""
