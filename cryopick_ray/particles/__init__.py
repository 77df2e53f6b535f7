"""Images of particles cut out of micrographs, and what is made of them: classes, maps."""
