"""Our own picker: a small U-Net whose output is a heat map with a peak on every particle."""
