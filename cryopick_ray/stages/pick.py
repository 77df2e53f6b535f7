"""Store to shards: which of a store's micrographs are to be picked, and who picks them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cryopick_ray.engine.engine import PULSE_SECONDS, Engine, WorkerKind
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.unit_rules import cut, unit_size
from cryopick_ray.errors import PixelSizeError
from cryopick_ray.pickers.picker import Picker
from cryopick_ray.picks.digest import CALIBRATED, PROBABILITY, THRESHOLD, settings_digest
from cryopick_ray.picks.shards import PickShards, digests
from cryopick_ray.settings.run_settings import PickSettings, RunSettings
from cryopick_ray.stages.ledger import covered_ids
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.masks import MaskShelf
from cryopick_ray.store.place import Place
from cryopick_ray.store.scale import check_stored, unfit
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.units import working_pixel_size_A


@dataclass(frozen=True)
class Picking:
    """How a store's micrographs are picked.

    Attributes
    ----------
    kind
        Who picks them.
    digest
        Name of the picks.
    done
        The micrographs that were picked before, by id, and the checksum of each one's file.
    pixel_size_A
        What the model needs.
    """

    kind: WorkerKind
    digest: str
    done: Mapping[str, str]
    pixel_size_A: float

    def pending(self, rows: Sequence[ManifestRow]) -> list[ManifestRow]:
        """Return those that are not picked and have pixels enough for the model.

        Raises
        ------
        PixelSizeError
            If the store holds one of them at coarser pixels than the model needs and its file has.
        """
        check_stored(rows, self.pixel_size_A)
        return [row for row in self._left(rows) if not unfit(row, self.pixel_size_A)]

    def unfit(self, rows: Sequence[ManifestRow]) -> list[tuple[ManifestRow, str]]:
        """Return those that are not picked and too coarse for the model, and why."""
        found = ((row, unfit(row, self.pixel_size_A)) for row in self._left(rows))
        return [(row, reason) for row, reason in found if reason]

    def check(self, rows: Sequence[ManifestRow]) -> None:
        """Refuse rows of which the model can use none.

        Raises
        ------
        PixelSizeError
            With the first one's reason.
        """
        reasons = [unfit(row, self.pixel_size_A) for row in rows]
        if reasons and all(reasons):
            raise PixelSizeError(reasons[0])

    def _left(self, rows: Sequence[ManifestRow]) -> list[ManifestRow]:
        return [row for row in rows if self.done.get(row.micrograph_id) != row.checksum]


def prepare_picking(
    store_url: str,
    picks_url: str,
    settings: PickSettings,
    engine: Engine,
    events: Events,
    *,
    device: str,
    pictures_url: str | None = None,
    manifest: Mapping[str, ManifestRow] | None = None,
) -> Picking:
    """Find out what is picked already, and write down what the picks' digest stands for.

    Parameters
    ----------
    manifest
        The store's micrographs, where they are known; ``None`` to read them.
    pictures_url
        The run that gets pictures of what is picked; ``None`` for none.
    """
    from cryopick_ray.stages.pick_worker import PickWorker

    Place(picks_url, create=True)
    settings = settled(settings, picks_url, on_gpu=device != "cpu" and engine.has_gpus)
    picker = described_picker(settings)
    if picker.wants_gpu:
        events.note(f"networks answer in {picker.settings()['precision']}")
    described = _described(settings, picker)
    digest = settings_digest(described)
    shards = PickShards(picks_url, digest, create=True)
    said = {CALIBRATED: picker.calibrated, PROBABILITY: picker.is_probability}
    beside = {THRESHOLD: picker.threshold} | {name: True for name, holds in said.items() if holds}
    if shards.describe(described | beside):
        events.warn(f"{picks_url}/{digest}/settings.json was damaged or changed, and is written again")
    place = MicrographStore(store_url).place
    rows = read_manifest(place) if manifest is None else manifest
    done, complaints = covered_ids(shards, rows, MaskShelf(place, digest).keys)
    for complaint in complaints:
        events.warn(complaint)
    make_worker = partial(PickWorker, store_url, picks_url, digest, settings, device, pictures_url)
    on_gpu = picker.wants_gpu and device != "cpu"
    pixel_size_A = working_pixel_size_A(settings.diameter_A, picker.particle_px)
    return Picking(WorkerKind("pick", make_worker, on_gpu), digest, done, pixel_size_A)


def pick(
    store_url: str,
    picks_url: str,
    settings: PickSettings,
    engine: Engine,
    events: Events,
    *,
    device: str,
    only: Collection[str] | None = None,
) -> str:
    """Pick all complete micrographs of a store, or some, that are not in a valid shard; return the digest.

    Those whose stored pixels are damaged fail.

    Parameters
    ----------
    only
        Ids of those to pick; ``None`` for all.
    """
    manifest = read_manifest(MicrographStore(store_url).place)
    picking = prepare_picking(
        store_url, picks_url, settings, engine, events, device=device, manifest=manifest
    )
    rows = [
        row
        for row in manifest.values()
        if row.status == "complete" and (only is None or row.micrograph_id in only)
    ]
    picking.check(rows)
    left = picking.pending(rows)
    events.stage("pick", len(rows), len(rows) - len(left))
    with engine.shift([picking.kind]) as shift:
        shift.add("pick", cut(left, unit_size(len(rows))))
        for row, reason in picking.unfit(rows):
            shift.give_up("pick", [row], reason)
        shift.finish()
        while shift.unfinished:
            for kind, report in shift.reports(PULSE_SECONDS):
                events.report(kind, report)
                for name, reason in report.damaged:
                    shift.give_up("pick", [manifest[name]], reason)
    return picking.digest


def settled(settings: PickSettings, picks_url: str, *, on_gpu: bool) -> PickSettings:
    """Return the settings with the numbers that all workers are to use.

    ``auto`` is that of the picks that are there already, else what is fastest on a GPU, or on a CPU like
    this machine's: a run that goes on elsewhere does not begin anew.
    """
    if settings.exact or settings.dtype != "auto":
        return settings
    from cryopick_ray.pickers.scoring import fast_precision

    fastest = fast_precision(on_gpu=on_gpu)
    choices = [settings.model_copy(update={"dtype": name}) for name in ("bfloat16", "float32")]
    there = digests(picks_url)
    known = [choice for choice in choices if there and _digest(choice) in there]
    return known[0] if len(known) == 1 else settings.model_copy(update={"dtype": fastest})


def described_picker(settings: PickSettings | RunSettings) -> Picker:
    """Return the picker as it is described; workers load their own, on their device."""
    from cryopick_ray.stages.asked_picker import asked_picker

    return asked_picker(settings, device="cpu")


def _digest(settings: PickSettings) -> str:
    return settings_digest(_described(settings, described_picker(settings)))


def _described(settings: PickSettings, picker: Picker) -> dict[str, Any]:
    """Return what the digest is made of: all that decides the picks, the threshold not among it."""
    from cryopick_ray.pickers.heatmap.polarity import rule

    return {
        "model": picker.name,
        "picker": picker.settings(),
        "diameter_A": settings.diameter_A,
        "invert": rule(picker) if settings.invert == "auto" else settings.invert == "yes",
        "threads": settings.threads,
    }
