"""Shards to the table of a run: one digest, each data set cut at one threshold."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.picks.cuts import cut_at_count, cut_at_precision
from cryopick_ray.picks.digest import CALIBRATED, PROBABILITY, THRESHOLD
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.settings.cut_settings import CutSettings
from cryopick_ray.settings.filament_settings import picked_spacing_A
from cryopick_ray.settings.selection_settings import SelectionSettings
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore


def table(
    store_url: str,
    picks_url: str,
    digest: str,
    out: Path,
    cut: CutSettings,
    *,
    keep_junk: bool = False,
    masks: Mapping[str, Path] | None = None,
    any_image: bool = False,
    selection: SelectionSettings | None = None,
) -> dict[str, Threshold]:
    """Gather the shards of one digest into the table at ``out``; return the thresholds used.

    Parameters
    ----------
    cut
        What chooses the threshold; where nothing is said it is the model's own, or one found in the scores.
    keep_junk
        Whether what lies on junk may be picked, unless one of ``masks`` excludes it.
    masks
        Masks of the user: a file by micrograph id.
    any_image
        Whether what looks like no micrograph may be picked.
    selection
        What else keeps candidates from being picked.

    Raises
    ------
    UsageError
        If a precision is wanted of scores that do not tell it.
    """
    from cryopick_ray.passes.build import TableSettings, build_table, from_probabilities, from_scores

    shards = PickShards(picks_url, digest)
    described = shards.settings()
    check_cut(cut, described["model"], calibrated=described.get(CALIBRATED, False))
    choose = from_probabilities if described.get(PROBABILITY) else from_scores
    if cut.precision is not None:
        choose = partial(cut_at_precision, precision=cut.precision)
    elif cut.expect is not None:
        choose = partial(cut_at_count, expected=cut.expect)
    keys = (
        shards.published()
    )  # before the manifest, which then knows what they cover, whatever joins meanwhile
    return build_table(
        shards,
        read_manifest(MicrographStore(store_url).place),
        out,
        settings=TableSettings(
            described["diameter_A"],
            described["model"],
            digest,
            keep_junk=keep_junk,
            masks=masks or {},
            any_image=any_image,
            calibrated=described.get(CALIBRATED, False),
            selection=selection or SelectionSettings(),
            spacing_A=picked_spacing_A(described),
        ),
        threshold=_known(cut, described.get(THRESHOLD)),
        choose=choose,
        keys=keys,
    )


def check_cut(cut: CutSettings, model: str, *, calibrated: bool) -> None:
    """Refuse to ask for a precision where scores do not tell it.

    Raises
    ------
    UsageError
        Naming what goes instead.
    """
    if cut.precision is not None and not calibrated:
        raise UsageError(
            f"`precision` {cut.precision:g}: the scores of {model} are not calibrated, so they do not tell "
            "how many picks are particles; give `expect` or `threshold` instead, or a calibrated `model`"
        )


def _known(cut: CutSettings, own: float | None) -> Threshold | None:
    """Return the threshold that is given, or the model's own; ``None`` if one is to be found."""
    if cut.threshold != "auto":
        return Threshold(cut.threshold, "given")
    if own is None or cut.precision is not None or cut.expect is not None:
        return None
    return Threshold(own, "the model's own")


def only_digest(picks_url: str, found: Sequence[str], wanted: str | None) -> str:
    """Return the digest to read: the one asked for, or the only one there is."""
    if wanted is not None and wanted in found:
        return wanted
    if wanted is None and len(found) == 1:
        return found[0]
    if not found:
        raise PicksError(f"{picks_url} holds no picks: give the folder of them, of a run RUN/picks")
    raise PicksError(f"{picks_url} holds picks of {', '.join(found)}; choose with `digest`")
