"""Template models of a map without symmetry: four blobs of unequal weight, 120 A across."""

import numpy as np

from cryopick_ray.pickers.template.templates import make_templates, template_card
from cryopick_ray.simulate.gaussians import gaussian_field

PX = 12


# no symmetry: four lumps of unequal weight, 120 A across
CENTRES_A = np.array([[40, 0, 0], [-30, 15, -10], [0, -35, 15], [-5, 10, 35]], np.float32)


SIGMA_A = np.full(4, 20, np.float32)


WEIGHT = np.array([4, 3, 2, 3], np.float32)


def lumps(voxel_A=5.0, box=48):
    return gaussian_field(CENTRES_A, SIGMA_A, WEIGHT, voxel_A, box)


def views(step_deg=20.0, **changes):
    return make_templates(
        **{
            "volume": lumps(),
            "voxel_size_A": 5.0,
            "diameter_A": 120.0,
            "particle_px": PX,
            "angular_step_deg": step_deg,
        }
        | changes
    )


def card_for(network, particle_px=PX):
    return template_card(network, "lumps", particle_px, views="a test", source="a test")
