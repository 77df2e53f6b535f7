"""Defocus of micrographs, fitted to the rings of their power spectra."""
