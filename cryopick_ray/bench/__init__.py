"""``cryopick bench``: time of each stage of a micrograph, beside the limit of the hardware."""
