"""One layer of large kernels, to show how a package adds a network to cryopick-ray."""
