"""Shards to the table of a run: one digest, cut at one threshold."""

from collections.abc import Sequence
from pathlib import Path

from cryopick_ray.errors import PicksError
from cryopick_ray.picks.digest import THRESHOLD
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore


def table(
    store_url: str,
    picks_url: str,
    digest: str,
    out: Path,
    threshold: float | None,
    *,
    any_image: bool = False,
) -> dict[str, Threshold]:
    """Gather the shards of one digest into the table at ``out``; return the thresholds used.

    Parameters
    ----------
    threshold
        Score from which a candidate is picked; ``None`` for the model's own, or one found in the scores.
    any_image
        Whether what looks like no micrograph may be picked.
    """
    from cryopick_ray.picks.tables import TableSettings, build_table

    shards = PickShards(picks_url, digest)
    described = shards.settings()
    own = described.get(THRESHOLD)
    cut = Threshold(threshold, "given") if threshold is not None else None
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
            any_image=any_image,
            of_one=own is not None and 0 < own < 1,
        ),
        threshold=cut or (Threshold(own, "the model's own") if own is not None else None),
        keys=keys,
    )


def only_digest(picks_url: str, found: Sequence[str], wanted: str | None) -> str:
    """Return the digest to read: the one asked for, or the only one there is."""
    if wanted is not None and wanted in found:
        return wanted
    if wanted is None and len(found) == 1:
        return found[0]
    raise PicksError(
        f"{picks_url} holds picks of {', '.join(found) or 'no settings at all'}; choose with `digest`"
    )
