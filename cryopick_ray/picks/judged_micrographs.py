"""The micrographs of a table, each with its verdict."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cryopick_ray.micrographs.image_facts import ImageFacts
from cryopick_ray.micrographs.junk import Junk, read_shares
from cryopick_ray.micrographs.no_data import NoData
from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.verdict import KINDS, MicrographFacts, judge, odd_image_reason, usual_count
from cryopick_ray.store.manifest import ManifestRow


@dataclass(frozen=True)
class PickCounts:
    """Candidates of one micrograph, counted; see :class:`~cryopick_ray.picks.verdict.MicrographFacts`."""

    candidates: int = 0
    picked: int = 0
    mean_score: float | None = None
    just_below: int | None = None
    on_junk: int = 0


def find_odd_images(
    manifest: Mapping[str, ManifestRow], micrographs: Iterable[PickedMicrograph], diameter_A: float
) -> dict[str, str]:
    """Return the images that do not look like micrographs of particles, with the reason, by id."""
    odd = {}
    for micrograph in micrographs:
        row = manifest[micrograph.micrograph_id]
        if micrograph.status == "complete" and (looks := ImageFacts.from_text(row.looks)) is not None:
            view_A = max(row.source_shape) * row.pixel_size_A
            if why := odd_image_reason(looks, view_A, diameter_A, inverted=micrograph.inverted):
                odd[micrograph.micrograph_id] = why
    return odd


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
        on_junk=int((above & picks.has(Reason.ON_JUNK)).sum()),
    )


def judged(
    micrographs: Sequence[PickedMicrograph],
    manifest: Mapping[str, ManifestRow],
    counts: Mapping[str, PickCounts],
    odd: Mapping[str, str],
    diameter_A: float,
) -> list[PickedMicrograph]:
    """Return the micrographs with their counts and verdicts.

    Parameters
    ----------
    counts
        Counts of micrographs that have candidates.
    odd
        Images that are no micrographs, with the reason.
    """
    facts = {
        micrograph.micrograph_id: _facts(
            micrograph, manifest[micrograph.micrograph_id], counts, odd, diameter_A
        )
        for micrograph in micrographs
        if micrograph.status == "complete"
    }
    of_set: defaultdict[str, list[MicrographFacts]] = defaultdict(list)
    for micrograph in micrographs:
        if micrograph.micrograph_id in facts:
            of_set[micrograph.dataset].append(facts[micrograph.micrograph_id])
    usual = {name: usual_count(group) for name, group in of_set.items()}
    return [
        _with_verdict(micrograph, facts[micrograph.micrograph_id], usual[micrograph.dataset])
        if micrograph.micrograph_id in facts
        else micrograph
        for micrograph in micrographs
    ]


def _facts(
    micrograph: PickedMicrograph,
    row: ManifestRow,
    counts: Mapping[str, PickCounts],
    odd: Mapping[str, str],
    diameter_A: float,
) -> MicrographFacts:
    counted, why = counts.get(micrograph.micrograph_id, PickCounts()), odd.get(micrograph.micrograph_id, "")
    no_data = NoData.from_text(row.no_data).share(row.source_shape)
    area_A2 = row.source_height_px * row.source_width_px * row.pixel_size_A**2 * (1 - no_data)
    return MicrographFacts(
        candidates=counted.candidates,
        picked=counted.picked,
        room=area_A2 / diameter_A**2,
        mean_score=counted.mean_score,
        just_below=counted.just_below,
        on_junk=0 if why else counted.on_junk,
        junk_share={
            kind: part
            for kind, part in read_shares(micrograph.junk_share).items()
            if kind != Junk.LATTICE.kind
        },
        no_data=no_data,
        odd_reason=why,
    )


def _with_verdict(
    micrograph: PickedMicrograph, facts: MicrographFacts, usual: float | None
) -> PickedMicrograph:
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
    """Return the judged micrographs, the worst verdict first, in each those with most reasons first."""
    order: dict[str, int] = {kind: place for place, kind in enumerate(KINDS)}
    with_verdict = [micrograph for micrograph in micrographs if micrograph.verdict in order]
    return sorted(
        with_verdict,
        key=lambda micrograph: (order[micrograph.verdict], -len(micrograph.reasons.splitlines())),
    )
