"""Labelled micrographs to batches of examples."""
