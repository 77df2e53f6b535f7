"""The micrographs of a table, each with its verdict."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cryopick_ray.micrographs.image_facts import ImageFacts
from cryopick_ray.micrographs.junk import Junk, read_shares
from cryopick_ray.micrographs.no_data import NoData
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.verdict import KINDS, Facts, judge, strangeness, usual_count
from cryopick_ray.store.manifest import ManifestRow


@dataclass(frozen=True)
class PickCounts:
    """Candidates of one micrograph, counted; see :class:`~cryopick_ray.picks.verdict.Facts`."""

    candidates: int = 0
    picked: int = 0
    mean_score: float | None = None
    just_below: int | None = None
    on_junk: int = 0


def strange_ones(
    manifest: Mapping[str, ManifestRow], micrographs: Iterable[PickedMicrograph], diameter_A: float
) -> dict[str, str]:
    """Return which of the micrographs are none, by their looks, and why."""
    found = {}
    for micrograph in micrographs:
        row = manifest[micrograph.micrograph_id]
        if micrograph.status == "complete" and (looks := ImageFacts.from_text(row.looks)) is not None:
            view_A = max(row.source_shape) * row.pixel_size_A
            if why := strangeness(looks, view_A, diameter_A, inverted=micrograph.inverted):
                found[micrograph.micrograph_id] = why
    return found


def count(picks: MicrographPicks, cut: float, *, calibrated: bool) -> PickCounts:
    """Return the counts of a micrograph's candidates.

    Parameters
    ----------
    calibrated
        Whether scores are probabilities.
    """
    score, picked, cut_at = picks.score, picks.picked, np.float32(cut)
    above, chosen = score >= cut_at, int(picked.sum())
    return PickCounts(
        candidates=len(score),
        picked=chosen,
        mean_score=float(score[picked].mean(dtype=np.float64)) if chosen else None,
        just_below=int(((score >= cut_at / 2) & ~above).sum()) if calibrated else None,
        on_junk=int((above & picks.has(Why.ON_JUNK)).sum()),
    )


def judged(
    micrographs: Sequence[PickedMicrograph],
    manifest: Mapping[str, ManifestRow],
    counts: Mapping[str, PickCounts],
    strange: Mapping[str, str],
    diameter_A: float,
) -> list[PickedMicrograph]:
    """Return the micrographs with their counts and verdicts.

    Parameters
    ----------
    counts
        Of those that have candidates.
    strange
        Those that are no micrographs, and why.
    """
    facts = {
        micrograph.micrograph_id: _facts(
            micrograph, manifest[micrograph.micrograph_id], counts, strange, diameter_A
        )
        for micrograph in micrographs
        if micrograph.status == "complete"
    }
    of_set: defaultdict[str, list[Facts]] = defaultdict(list)
    for micrograph in micrographs:
        if micrograph.micrograph_id in facts:
            of_set[micrograph.dataset].append(facts[micrograph.micrograph_id])
    usual = {name: usual_count(some) for name, some in of_set.items()}
    return [
        _told(micrograph, facts[micrograph.micrograph_id], usual[micrograph.dataset])
        if micrograph.micrograph_id in facts
        else micrograph
        for micrograph in micrographs
    ]


def _facts(
    micrograph: PickedMicrograph,
    row: ManifestRow,
    counts: Mapping[str, PickCounts],
    strange: Mapping[str, str],
    diameter_A: float,
) -> Facts:
    own, why = counts.get(micrograph.micrograph_id, PickCounts()), strange.get(micrograph.micrograph_id, "")
    no_data = NoData.from_text(row.no_data).share(row.source_shape)
    area_A2 = row.source_height_px * row.source_width_px * row.pixel_size_A**2 * (1 - no_data)
    return Facts(
        candidates=own.candidates,
        picked=own.picked,
        room=area_A2 / diameter_A**2,
        mean_score=own.mean_score,
        just_below=own.just_below,
        on_junk=0 if why else own.on_junk,
        junk_share={
            kind: part
            for kind, part in read_shares(micrograph.junk_share).items()
            if kind != Junk.LATTICE.kind
        },
        no_data=no_data,
        strange=why,
    )


def _told(micrograph: PickedMicrograph, facts: Facts, usual: float | None) -> PickedMicrograph:
    verdict = judge(facts, usual)
    return replace(
        micrograph,
        candidates=facts.candidates,
        picks=facts.picked,
        mean_score=facts.mean_score,
        just_below=facts.just_below,
        on_junk=facts.on_junk,
        verdict=verdict.kind,
        reasons="\n".join(verdict.reasons),
    )


def worst_first(micrographs: Iterable[PickedMicrograph]) -> list[PickedMicrograph]:
    """Return those that were judged: by verdict, the worst first, and those with most reasons in each."""
    order: dict[str, int] = {kind: place for place, kind in enumerate(KINDS)}
    some = [micrograph for micrograph in micrographs if micrograph.verdict in order]
    return sorted(some, key=lambda one: (order[one.verdict], -len(one.reasons.splitlines())))
