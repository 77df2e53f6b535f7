"""Averages of particles that look alike in two dimensions, and which of them are worth keeping."""
