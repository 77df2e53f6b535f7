"""``cryopick consensus``: the picks that several runs or programs agree on."""
