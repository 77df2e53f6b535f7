"""Find particles in cryo-EM micrographs with deep networks, from one laptop to a GPU cluster."""

__version__ = "0.1.0"
DEFAULT_MODEL = "heatmap-general"
"""The model that picks unless another is given, and that estimates a diameter that nobody gives."""
