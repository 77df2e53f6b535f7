"""A local page on which all micrographs of a data set are looked at, judged and corrected."""
