"""Classes -> a page: averages sorted by quality, with counts."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cryopick_ray import __version__
from cryopick_ray.particles.classes.class_likeness import learnt_rule
from cryopick_ray.particles.classes.classes import Classes
from cryopick_ray.passes.bad_classes import QUALITIES
from cryopick_ray.report.report import flatten, page_maker

LARGEST_PX = 128


def render_classes(classes: Classes, settings: Mapping[str, Any], notes: Sequence[str]) -> str:
    """Return the page as HTML; all text is escaped.

    Parameters
    ----------
    notes
        What a person should know.
    """
    rows = classes.rows()
    shown = [{**rows[one], "png": picture(classes.averages[one])} for one in classes.ranking]
    return (
        page_maker("report")
        .get_template("classes.html")
        .render(
            version=__version__,
            total=len(classes.label),
            counts=classes.counts(),
            groups=[(name, [one for one in shown if one["quality"] == name]) for name in QUALITIES],
            learnt=learnt_rule().made_from,
            settings=flatten(settings),
            notes=notes,
        )
    )


def picture(average: NDArray[np.float32]) -> bytes:
    """Return an ``(h, w)`` average as a PNG, its contrast stretched, at most 128 pixels a side."""
    low, high = np.percentile(average, [0.5, 99.8])
    grey = np.clip((average - low) / max(high - low, 1e-12), 0, 1) * 255
    image = Image.fromarray(grey.astype(np.uint8))
    if max(image.size) > LARGEST_PX:
        image = image.resize((LARGEST_PX, LARGEST_PX), Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
