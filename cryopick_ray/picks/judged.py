"""The micrographs of a table, each with its verdict."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cryopick_ray.micrographs.junk import Junk, read_shares
from cryopick_ray.micrographs.looks import Looks
from cryopick_ray.micrographs.no_data import NoData
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.picks.table import dataset_folder
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.picks.verdict import KINDS, Facts, judge, strangeness, usual_count
from cryopick_ray.store.manifest import ManifestRow

READ = ("micrograph_id", "score", "picked")


@dataclass(frozen=True)
class Counted:
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
    for one in micrographs:
        row = manifest[one.micrograph_id]
        if one.status == "complete" and (looks := Looks.from_text(row.looks)) is not None:
            view_A = max(row.source_shape) * row.pixel_size_A
            if why := strangeness(looks, view_A, diameter_A, inverted=one.inverted):
                found[one.micrograph_id] = why
    return found


def count(score: NDArray[np.float32], picked: NDArray[np.bool_], cut: float, *, calibrated: bool) -> Counted:
    """Return the counts of a micrograph's ``(n,)`` candidates.

    Parameters
    ----------
    calibrated
        Whether scores are probabilities.
    """
    above, cut_at = score >= np.float32(cut), np.float32(cut)
    chosen = int(picked.sum())
    return Counted(
        candidates=len(score),
        picked=chosen,
        mean_score=float(score[picked].mean(dtype=np.float64)) if chosen else None,
        just_below=int(((score >= cut_at / 2) & ~above).sum()) if calibrated else None,
        on_junk=int((above & ~picked).sum()),
    )


def count_parts(table: Path, cuts: Mapping[str, Threshold], *, calibrated: bool) -> dict[str, Counted]:
    """Return the counts of all micrographs that have candidates, of a table's folder without its index.

    Parameters
    ----------
    cuts
        By data set.
    calibrated
        Whether scores are probabilities.
    """
    return {
        micrograph_id: count(score, picked, cut.value, calibrated=calibrated)
        for name, cut in cuts.items()
        for file in sorted((table / dataset_folder(name)).glob("*.parquet"))
        for micrograph_id, score, picked in _rows(file)
    }


def judged(
    micrographs: Sequence[PickedMicrograph],
    manifest: Mapping[str, ManifestRow],
    counts: Mapping[str, Counted],
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
        one.micrograph_id: _facts(one, manifest[one.micrograph_id], counts, strange, diameter_A)
        for one in micrographs
        if one.status == "complete"
    }
    of_set: defaultdict[str, list[Facts]] = defaultdict(list)
    for one in micrographs:
        if one.micrograph_id in facts:
            of_set[one.dataset].append(facts[one.micrograph_id])
    usual = {name: usual_count(some) for name, some in of_set.items()}
    return [
        _told(one, facts[one.micrograph_id], usual[one.dataset]) if one.micrograph_id in facts else one
        for one in micrographs
    ]


def _facts(
    one: PickedMicrograph,
    row: ManifestRow,
    counts: Mapping[str, Counted],
    strange: Mapping[str, str],
    diameter_A: float,
) -> Facts:
    own, why = counts.get(one.micrograph_id, Counted()), strange.get(one.micrograph_id, "")
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
            kind: part for kind, part in read_shares(one.junk_share).items() if kind != Junk.LATTICE.kind
        },
        no_data=no_data,
        strange=why,
    )


def _told(one: PickedMicrograph, facts: Facts, usual: float | None) -> PickedMicrograph:
    verdict = judge(facts, usual)
    return replace(
        one,
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
    some = [one for one in micrographs if one.verdict in order]
    return sorted(some, key=lambda one: (order[one.verdict], -len(one.reasons.splitlines())))


def among(names: pa.ChunkedArray, some: Iterable[str]) -> NDArray[np.bool_]:
    """Tell which of ``(n,)`` names are among some."""
    wanted = pa.array(sorted(some), pa.string())
    if not len(wanted):
        return np.zeros(len(names), bool)
    return np.asarray(pc.is_in(names, wanted).to_numpy())


def _rows(file: Path) -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.bool_]]]:
    """Yield id, scores and picks of each micrograph in a part."""
    rows = pq.read_table(file, columns=list(READ))
    names = rows["micrograph_id"].combine_chunks().dictionary_encode()
    codes = names.indices.to_numpy()
    score, picked = rows["score"].to_numpy(), rows["picked"].to_numpy()
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(codes)], strict=True):
        yield names.dictionary[int(codes[start])].as_py(), score[start:end], picked[start:end]
