"""Shards to the data-set-wide table, with Dask: one task a partition, no shuffle.

The picks of one micrograph lie in one shard, so each partition of the table, a run of consecutive
micrographs, gathers its own rows and nothing is moved between partitions. Which micrographs make a
partition depends on their ids and counts alone, never on how the work was cut into shards: the same
picks give the same files, byte for byte.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cryopick_ray import __version__
from cryopick_ray.errors import PicksError
from cryopick_ray.passes.bad_classes import InClass, read_classes
from cryopick_ray.passes.chain import Pass, made, passes_of
from cryopick_ray.passes.curation import Curated, check_places
from cryopick_ray.passes.decision_files import read_rows
from cryopick_ray.passes.decisions import decisions_of
from cryopick_ray.passes.excluded import Excluded
from cryopick_ray.passes.on_junk import OnJunk
from cryopick_ray.passes.tasks import each
from cryopick_ray.passes.threshold import AboveCut
from cryopick_ray.passes.user_masks import read_masks
from cryopick_ray.picks.coverage import coverage
from cryopick_ray.picks.cuts import Scores
from cryopick_ray.picks.gather import gather
from cryopick_ray.picks.index import Made, write_index
from cryopick_ray.picks.judged_micrographs import PickCounts, count, judged, strange_ones
from cryopick_ray.picks.partitions import Partition, plan_partitions
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.shard import Coverage
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.thresholds import Threshold, auto_threshold, log_odds_threshold
from cryopick_ray.picks.verdict import KINDS
from cryopick_ray.picks.write_table import check_replaceable, write_part
from cryopick_ray.settings.selection_settings import SelectionSettings
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.publish import whole_folder

THRESHOLD_SCORES = 4_000_000
"""Scores that a threshold is found on, about at most: all of 20 million changed its sixth digit."""
_OF_PICKS = ("inverted", "mask", "junk_share")
"""What only a shard's coverage says of a micrograph."""
T = TypeVar("T")


@dataclass(frozen=True)
class TableSettings:
    """What joins the candidates in the table, and what of them stays unpicked.

    Attributes
    ----------
    keep_junk
        Whether what lies on junk may be picked, unless a mask of the user excludes it.
    masks
        Such masks: a file by micrograph id.
    any_image, calibrated
        Whether what looks like no micrograph may be picked, and whether scores are probabilities.
    selection
        What else keeps candidates from being picked.
    spacing_A
        Between segments of filaments; ``None`` if it is not said.
    """

    diameter_A: float
    model: str
    digest: str
    keep_junk: bool = False
    masks: Mapping[str, Path] = field(default_factory=dict)
    any_image: bool = False
    calibrated: bool = False
    selection: SelectionSettings = field(default_factory=SelectionSettings)
    spacing_A: float | None = None


def from_scores(scores: Scores) -> Threshold:
    """Return the cut that the scores of a data set suggest by themselves."""
    return auto_threshold(scores.score)


def from_probabilities(scores: Scores) -> Threshold:
    """Likewise where scores are from 0 to 1."""
    return log_odds_threshold(scores.score)


def build_table(
    shards: PickShards,
    manifest: Mapping[str, ManifestRow],
    out: Path,
    *,
    settings: TableSettings,
    threshold: Threshold | None,
    choose: Callable[[Scores], Threshold] = from_scores,
    keys: Sequence[str] | None = None,
) -> dict[str, Threshold]:
    """Write the table of one digest to the folder ``out`` and return each data set's threshold.

    Parameters
    ----------
    shards
        All shards of the digest. Candidates of micrographs that the manifest does not list are an error.
    manifest
        The store's micrographs, failed ones included.
    threshold
        Score from which a candidate is picked; ``None`` to choose one per data set.
    choose
        How: from the scores of its candidates.
    keys
        Of the shards that count; ``None`` for all there are.

    Raises
    ------
    PicksError
        If a shard is damaged.
    """
    check_replaceable(out)
    chosen = settings.selection
    decisions = decisions_of(read_rows(chosen.curation))
    covered = coverage(shards, manifest, keys)
    micrographs = _known(manifest, covered, shards.place.url)
    check_places(decisions, micrographs)
    partitions = plan_partitions(micrographs, covered, [name for name in decisions if decisions[name].adds])
    source = partial(gather, shards, diameter_A=settings.diameter_A, model=settings.model)
    masked = read_masks(settings.masks, micrographs, map(source, partitions))
    strange = {} if settings.any_image else strange_ones(manifest, micrographs, settings.diameter_A)
    passes: list[Pass] = [masked, OnJunk(settings.keep_junk), Excluded(strange.keys()), *passes_of(chosen)]
    cuts = dict.fromkeys((part.dataset for part in partitions), threshold or Threshold(0.0, ""))
    if threshold is None:
        cuts = _cuts(source, passes, partitions, micrographs, choose)
    passes.append(AboveCut({name: cut.value for name, cut in cuts.items()}))

    def write(part: Partition, last: Sequence[Pass]) -> dict[str, tuple[PickCounts, int, int]]:
        some = [made(one, passes) for one in source(part)]
        done = [made(one, last) for one in some]
        write_part(done, aside, part.number)
        cut = cuts[part.dataset].value
        return {
            one.micrograph.micrograph_id: (count(one, cut, calibrated=settings.calibrated), len(own), picks)
            for one, own, picks in zip(some, done, (int(one.picked.sum()) for one in done), strict=True)
        }

    with whole_folder(out) as aside:
        last: list[Pass] = [*_of_classes(chosen), Curated(decisions, settings.spacing_A)]
        found = _together(each(partial(write, last=last), partitions))
        counts = {name: own for name, (own, _, _) in found.items()}
        told = judged(list(map(masked.told, micrographs)), manifest, counts, strange, settings.diameter_A)
        if bad := _worse(told, chosen.exclude_micrographs):
            again = [
                part
                for part in partitions
                if bad & {micrograph.micrograph_id for micrograph in part.micrographs}
            ]
            found |= _together(each(partial(write, last=[Excluded(bad), *last]), again))
        out_of_it = {*strange, *bad, *(name for name, own in decisions.items() if own.exclude)}
        told = [replace(_with_picks(one, found), excluded=one.micrograph_id in out_of_it) for one in told]
        write_index(aside, told, settings.diameter_A, _history(settings, cuts))
    return cuts


def _of_classes(chosen: SelectionSettings) -> list[Pass]:
    files = [read_classes(path) for path in chosen.classes]
    return [InClass(files, chosen.keep_classes)] if files else []


def _together(parts: Iterable[Mapping[str, T]]) -> dict[str, T]:
    """Return what is known of the micrographs of all partitions, by id."""
    return {name: value for part in parts for name, value in part.items()}


def _with_picks(
    micrograph: PickedMicrograph, found: Mapping[str, tuple[PickCounts, int, int]]
) -> PickedMicrograph:
    """Return a micrograph with the numbers of its candidates and picks after the last pass."""
    if micrograph.micrograph_id not in found:
        return micrograph
    _, candidates, picks = found[micrograph.micrograph_id]
    return replace(micrograph, candidates=candidates, picks=picks)


def _cuts(
    source: Callable[[Partition], Iterator[MicrographPicks]],
    passes: Sequence[Pass],
    partitions: Sequence[Partition],
    micrographs: Iterable[PickedMicrograph],
    choose: Callable[[Scores], Threshold],
) -> dict[str, Threshold]:
    """Return each data set's cut through the scores: of all, or where they are many, of every n-th.

    Counted in each partition in order of score, so that the distribution stays, and depends on the picks
    alone. What cannot be picked is no candidate here.
    """
    totals = dict.fromkeys((part.dataset for part in partitions), 0)
    for part in partitions:
        totals[part.dataset] += part.rows
    step = {name: max(1, -(-total // THRESHOLD_SCORES)) for name, total in totals.items()}
    complete = Counter(micrograph.dataset for micrograph in micrographs if micrograph.status == "complete")

    def thinned(part: Partition) -> NDArray[np.float32]:
        free = [one.score[one.picked] for one in (made(one, passes) for one in source(part))]
        own = step[part.dataset]
        return np.sort(np.concatenate(free))[own // 2 :: own].copy()

    scores: dict[str, list[NDArray[np.float32]]] = {name: [] for name in totals}
    for part, own in zip(partitions, each(thinned, partitions), strict=True):
        scores[part.dataset].append(own)
    return {
        name: choose(Scores(np.concatenate(parts), complete[name], one_of=step[name]))
        for name, parts in scores.items()
    }


def _worse(micrographs: Iterable[PickedMicrograph], verdict: str | None) -> set[str]:
    """Return the ids of micrographs with a verdict or a worse one."""
    if verdict is None:
        return set()
    bad = KINDS[: list[str](KINDS).index(verdict) + 1]
    return {micrograph.micrograph_id for micrograph in micrographs if micrograph.verdict in bad}


def _history(settings: TableSettings, cuts: Mapping[str, Threshold]) -> Made:
    given = settings.selection.model_dump(mode="json", exclude_none=True)
    if not settings.selection.classes:
        del given["classes"], given["keep_classes"]
    if not settings.selection.curation:
        del given["curation"]
    how = {
        **({"keep_junk": True} if settings.keep_junk else {}),
        **({"masks": len(settings.masks)} if settings.masks else {}),
        **({"any_image": True} if settings.any_image else {}),
        **given,
    }
    passes = tuple({name: value} for name, value in how.items())
    return Made(__version__, (settings.digest,), passes, {name: asdict(cut) for name, cut in cuts.items()})


def _known(
    manifest: Mapping[str, ManifestRow], covered: Mapping[str, tuple[str, Coverage]], where: str
) -> list[PickedMicrograph]:
    """Return the store's micrographs that were picked or failed."""
    if unknown := sorted(covered.keys() - manifest.keys()):
        raise PicksError(f"{where} covers {unknown[0]}, which the store does not hold")
    rows = manifest.values()
    return [
        _micrograph(row, covered) for row in rows if row.status != "complete" or row.micrograph_id in covered
    ]


def _micrograph(row: ManifestRow, covered: Mapping[str, tuple[str, Coverage]]) -> PickedMicrograph:
    line = covered[row.micrograph_id][1] if row.micrograph_id in covered else row
    return PickedMicrograph(
        micrograph_id=row.micrograph_id,
        dataset=row.dataset,
        relion_name=row.relion_name,
        shape=row.source_shape if row.status == "complete" else None,
        pixel_size_A=row.pixel_size_A if row.status == "complete" else None,
        optics=row.optics,
        status=line.status,
        reason=line.reason,
        optics_group=row.optics_group,
        listed=row.listed,
        **{name: getattr(line, name) for name in _OF_PICKS if isinstance(line, Coverage)},
    )
