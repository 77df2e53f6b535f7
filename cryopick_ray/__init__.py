"""Find particles in cryo-EM micrographs with deep networks, from one laptop to a GPU cluster."""

__version__ = "0.1.0"
