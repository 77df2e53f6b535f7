"""2-D classification: class averages, and the quality of classes."""
