"""``cryopick table``: shards to the data-set-wide table."""

import posixpath
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .bridge import Given, Offer, takes
from .console import say
from .spelling import tell


@takes(
    cut=Offer("cryopick_ray.settings.cut_settings:CutSettings"),
    selection=Offer("cryopick_ray.settings.selection_settings:SelectionSettings"),
)
def table(
    cut: Given,
    selection: Given,
    picks: Annotated[str, typer.Argument(metavar="PICKS", help="Folder or bucket of picks.")],
    out: Annotated[
        str, typer.Option("--out", metavar="T", help="Folder or bucket of the table; replaced if it is one.")
    ],
    store: Annotated[
        str | None, typer.Option("--store", metavar="S", help="Store that was picked; default: beside PICKS.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option("--masks", metavar="DIR", help="Masks named after the micrographs: only 0 is picked."),
    ] = None,
    keep_junk: Annotated[
        bool, typer.Option("--keep-junk", help="Pick what the model takes to lie on junk, too.")
    ] = False,
    any_image: Annotated[
        bool, typer.Option("--any-image", help="Pick what looks like no micrograph, too.")
    ] = False,
    digest: options.Digest = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Gather picks into one table of all candidates, cut anew if you like."""
    del debug
    from dataclasses import asdict

    from cryopick_ray.formats.mask_names import masks_of
    from cryopick_ray.passes.named_files import left_over
    from cryopick_ray.picks.index import INDEX
    from cryopick_ray.picks.shards import digests
    from cryopick_ray.picks.table import PickTable
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.cut_settings import CutSettings
    from cryopick_ray.settings.selection_settings import SelectionSettings
    from cryopick_ray.stages.cut_table import only_digest
    from cryopick_ray.stages.cut_table import table as gather
    from cryopick_ray.store.copies import made_locally

    wanted, chosen_by = fill(CutSettings, **cut), fill(SelectionSettings, **selection)
    chosen = only_digest(picks, digests(picks), digest)
    beside = posixpath.join(posixpath.dirname(picks.rstrip("/")), "store.zarr")
    where = store or beside
    found = masks_of(masks, where)
    with made_locally(out, index=INDEX) as folder:
        cuts = gather(
            where,
            picks,
            chosen,
            folder,
            wanted,
            keep_junk=keep_junk,
            masks=found,
            any_image=any_image,
            selection=chosen_by,
        )
        notes = left_over(chosen_by, PickTable(folder))
    outcome = {
        "table": out,
        "digest": chosen,
        "thresholds": {name: asdict(cut) for name, cut in cuts.items()},
    }
    text = "\n".join(f"{name}: threshold {cut.value:.3g} ({cut.method})" for name, cut in cuts.items())
    for note in notes:
        tell(note)
    for name, one in cuts.items():
        if one.doubt:
            tell(f"{name}: {one.doubt}")
    say(outcome, f"{text}\ntable {out}", as_json=as_json)
