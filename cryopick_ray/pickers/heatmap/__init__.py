"""Our own picker: a small U-Net that paints a peak on every particle."""
