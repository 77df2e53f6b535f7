"""Passes over picks: pure functions from a micrograph's candidates to the same, some with a reason more."""
