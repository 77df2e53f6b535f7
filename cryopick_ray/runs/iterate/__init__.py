"""``cryopick iterate``: classify a run's picks, train on those that are kept, pick again."""
