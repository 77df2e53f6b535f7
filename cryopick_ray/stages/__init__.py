"""The workers, and the stages of a run on an engine."""
