"""A molecule's map -> a model of templates that searches for it."""

import math
from pathlib import Path

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.template.templates import Templates, check_settings, make_templates, template_card
from cryopick_ray.pickers.weights import ModelCard
from cryopick_ray.simulate.density import density
from cryopick_ray.simulate.library import load_molecule

PARTICLE_PX, ANGULAR_STEP_DEG = 12.0, 15.0
DIAMETERS = (0.5, 2.0)
"""Over the measured one: further off it is a slip, such as nanometres."""


def template_model(
    molecule: str | Path,
    diameter_A: float | None = None,
    particle_px: float = PARTICLE_PX,
    angular_step_deg: float = ANGULAR_STEP_DEG,
) -> tuple[Templates, ModelCard, float]:
    """Return templates of a molecule, their card, and the diameter in angstroms to pick with.

    Parameters
    ----------
    molecule
        As :func:`~cryopick_ray.simulate.library.load_molecule` takes it.
    diameter_A
        The diameter that will be picked with; ``None`` for the molecule's longest dimension.
    particle_px
        Pixels that the diameter becomes.
    angular_step_deg
        Angle between neighbouring views.

    Raises
    ------
    UsageError
        If there is no such molecule, or a number cannot be.
    """
    found = load_molecule(molecule)
    used_A = found.diameter_A if diameter_A is None else diameter_A
    check_settings(used_A, particle_px, angular_step_deg)
    low_A, high_A = (factor * found.diameter_A for factor in DIAMETERS)
    if not low_A <= used_A <= high_A:
        raise UsageError(
            f"`diameter_A` {used_A:g}: {found.name} measures {found.diameter_A:g} A; "
            f"expected {low_A:.0f} to {high_A:.0f}"
        )
    voxel_A, box = used_A / particle_px / 2, 2 * math.ceil(1.5 * particle_px)  # half as large again
    network = make_templates(density(found, voxel_A, box), voxel_A, used_A, particle_px, angular_step_deg)
    views = f"projections every {angular_step_deg:g} degrees; a diameter of {used_A:g} A"
    card = template_card(network, found.name, particle_px, views=views, source=f"{found.name}: {found.how}")
    return network, card, used_A
