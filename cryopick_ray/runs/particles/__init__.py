"""``cryopick extract``, ``classify2d`` and ``reconstruct``: from picks to particle images and maps."""
