"""Labels of another person against those of a data set: what no picker can be told to surpass."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from cryopick_ray.errors import CryoPickError
from cryopick_ray.evaluation.evaluate import evaluate
from cryopick_ray.evaluation.truth import Truth
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.picks.reasons import none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.suite.averaged_rows import FOUND, Result
from cryopick_ray.suite.cases import Case


def agreement(name: str, labels: Truth, case: Case) -> Result:
    """Score another's labels as if they were a model's picks, on the micrographs that have both."""
    measures, failure, picks = dict[str, float | None](), "", list[MicrographPicks]()
    try:
        assert case.truth is not None
        picks = list(_as_picks(labels, case))
        pooled = asdict(evaluate(picks, case.truth, radius_A=case.radius_A).pooled)
        measures = {one: pooled[one] for one in FOUND if one in pooled}
    except CryoPickError as error:
        failure = str(error)
    return Result(
        data=case.name,
        group="",
        model=name,
        seed=name,
        is_empty=False,
        micrographs=len(picks),
        measures=measures,
        overlap="",
        failure=failure,
        labels=case.labelled_by,
    )


def _as_picks(others: Truth, case: Case) -> Iterator[MicrographPicks]:
    """Yield what the other person labelled, every label a pick without a score."""
    for source in case.sources:
        if (name := others.name_of(source.micrograph_id)) is None:
            continue
        given_A = case.settings.pixel_size_A or source.pixel_size_A
        micrograph = read_micrograph(source.path)
        x_px, y_px = others.centres(name, micrograph.shape).astype(np.float32).T
        yield MicrographPicks(
            PickedMicrograph(
                micrograph_id=source.micrograph_id,
                dataset=source.dataset,
                relion_name=source.relion_name,
                shape=micrograph.shape,
                pixel_size_A=given_A or micrograph.pixel_size_A,
                optics=None,
                status="complete",
                reason="",
            ),
            x_px,
            y_px,
            np.full(len(x_px), np.nan, np.float32),
            none(len(x_px)),
            case.told_A,
        )
