"""Arrays to zarr: one normalised array per micrograph and the manifest that vouches for it."""
