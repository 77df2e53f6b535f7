"""Particle images: extraction, 2-D classes, 3-D maps."""
