"""Work on the network's device, CPU or GPU: upload, resize, batches, peaks; only picks come back."""
