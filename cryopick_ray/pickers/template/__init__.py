"""Template matching: projections of a known map, found by local cross-correlation (Roseman 2003)."""
