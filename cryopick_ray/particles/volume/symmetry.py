"""Point groups of molecules, as RELION has them: the main axis along z, of D one of the others along x."""

import re

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cryopick_ray.errors import UsageError

HIGHEST = 99


def rotations_of(symmetry: str) -> NDArray[np.float64]:
    """Return the ``(s, 3, 3)`` rotations after which a molecule of a symmetry looks the same.

    Parameters
    ----------
    symmetry
        C1, C2, ..., D1, D2, ...

    Raises
    ------
    UsageError
        It is no such symmetry.
    """
    found = re.fullmatch(r"([CD])(\d{1,2})", symmetry.upper())
    if found is None or not int(found[2]):
        raise UsageError(f"`symmetry` is {symmetry!r}: expected C1 to C{HIGHEST} or D1 to D{HIGHEST}")
    order = int(found[2])
    about_z = Rotation.from_euler("z", np.arange(order)[:, None] * 360 / order, degrees=True).as_matrix()
    about_z = about_z.reshape(order, 3, 3)
    if found[1] == "C":
        return about_z
    return np.concatenate([about_z, np.diag([1.0, -1.0, -1.0]) @ about_z])
