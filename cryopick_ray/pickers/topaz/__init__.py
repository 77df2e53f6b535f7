"""Topaz (Bepler et al. 2019, Nat. Methods 16:1153): its networks, dense scoring and picking rule."""
