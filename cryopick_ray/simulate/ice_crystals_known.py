"""The lumps that microscopists know, as settings."""

from cryopick_ray.simulate.ice_crystals import LumpSettings

CRYSTALS = LumpSettings(
    probability=0.05,
    number=(1, 4),
    diameter_A=(400, 2_500),
    lobes=(1, 2),
    thickness=(0.3, 0.8),
    steepness=(4, 20),
    facets=(5, 8),
    irregularity=0.01,
    streaks=(0.0, 0.5),
)
"""Hexagonal or cubic ice: dark, sharp-edged, flat-faced, often with bend contours."""
BLOBS = LumpSettings(
    probability=0.08,
    number=(1, 3),
    diameter_A=(300, 3_000),
    lobes=(1, 4),
    thickness=(0.4, 1.0),
    steepness=(2, 4),
    facets=(12, 24),
    irregularity=0.06,
)
"""Frozen ethane and ice that fell on later: round to irregular, dark, bright fringes."""
SPECKS = LumpSettings(
    probability=0.3,
    number=(1, 20),
    diameter_A=(80, 400),
    thickness=(0.05, 0.35),
    steepness=(2, 10),
    facets=(10, 24),
    irregularity=0.03,
)
"""Small round ice crystals about the size of particles, which pickers fall for."""
FLAKES = LumpSettings(
    probability=0.0,
    number=(4, 30),
    diameter_A=(150, 600),
    lobes=(1, 2),
    thickness=(0.03, 0.2),
    steepness=(8, 40),
    facets=(4, 6),
    irregularity=0.05,
)
"""Flat flakes of ice with sharp corners, some grown together, thin and thick in one picture."""
CHAINS = LumpSettings(
    probability=0.0,
    number=(3, 15),
    diameter_A=(150, 700),
    lobes=(2, 6),
    thickness=(0.1, 0.5),
    steepness=(3, 8),
    facets=(16, 24),
    irregularity=0.04,
)
"""Balls of ethane or ice that grew together: chains, clusters and capsules."""
FIDUCIALS = LumpSettings(
    probability=0.0,
    number=(2, 25),
    diameter_A=(50, 150),
    thickness=(10, 25),
    steepness=(2, 4),
    facets=(16, 24),
    irregularity=0.02,
)
"""Beads of gold, 5 to 15 nm: eight times the potential of ice, and they diffract; black."""
