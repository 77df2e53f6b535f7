"""The zarr store: one normalised array per micrograph, and the manifest of them."""
