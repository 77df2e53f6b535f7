"""Work where a network runs, CPU or GPU: images to it, several at once, and no more than picks back."""
