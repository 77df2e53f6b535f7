"""Scores of other people's labels against those of a data set: an upper limit for pickers."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from cryopick_ray.errors import CryoPickError
from cryopick_ray.evaluation.evaluate import evaluate
from cryopick_ray.evaluation.truth import Truth
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.picks.reasons import none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.suite.averaged_rows import FOUND, CaseResult
from cryopick_ray.suite.cases import Case


def agreement(name: str, labels: Truth, case: Case) -> CaseResult:
    """Score another person's labels as if they were a model's picks, on the micrographs that have both."""
    measures, failure, picks = dict[str, float | None](), "", list[MicrographPicks]()
    try:
        assert case.truth is not None
        picks = list(_as_picks(labels, case))
        pooled = asdict(evaluate(picks, case.truth, radius_A=case.radius_A).pooled)
        measures = {key: pooled[key] for key in FOUND if key in pooled}
    except CryoPickError as error:
        failure = str(error)
    return CaseResult(
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
    """Yield another person's labels as picks without scores."""
    for source in case.sources:
        if (name := others.name_of(source.micrograph_id)) is None:
            continue
        stated_A = case.settings.pixel_size_A or source.pixel_size_A
        micrograph = read_micrograph(source.path)
        x_px, y_px = others.centres(name, micrograph.shape).astype(np.float32).T
        yield MicrographPicks(
            PickedMicrograph(
                micrograph_id=source.micrograph_id,
                dataset=source.dataset,
                relion_name=source.relion_name,
                shape=micrograph.shape,
                pixel_size_A=stated_A or micrograph.pixel_size_A,
                optics=None,
                status="complete",
                reason="",
            ),
            x_px,
            y_px,
            np.full(len(x_px), np.nan, np.float32),
            none(len(x_px)),
            case.stated_diameter_A,
        )
