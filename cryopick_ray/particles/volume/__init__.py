"""Maps from images with poses, and what they are worth."""
