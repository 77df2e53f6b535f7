"""Candidates as data: shards, the data-set-wide table, matching and thresholds."""
