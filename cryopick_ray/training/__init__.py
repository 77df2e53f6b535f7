"""Labelled micrographs in, weights out: what each network is shown, judged by and made to learn."""
