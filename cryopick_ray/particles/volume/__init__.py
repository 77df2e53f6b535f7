"""3-D reconstruction from images with poses, and its evaluation."""
