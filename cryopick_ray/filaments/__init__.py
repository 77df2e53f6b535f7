"""Filaments as lines: traces, their geometry, and the segments that are cut out along them."""
