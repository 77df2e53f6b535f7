"""The state of a page: micrographs, their candidates and pictures, and people's decisions."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryopick_ray import __version__
from cryopick_ray.errors import MicrographError
from cryopick_ray.page.filtered_views import VIEWS
from cryopick_ray.page.levels import TILE_PX
from cryopick_ray.page.micrograph_list import MicrographList
from cryopick_ray.page.open_sources import (
    OpenedSources,
    PageSettings,
    applied_decisions,
    curation_folder,
    open_beside,
    open_sources,
)
from cryopick_ray.page.packing import packed_candidates, packed_places
from cryopick_ray.page.page_errors import NotReadyError, UnknownError
from cryopick_ray.page.page_tally import PageTally
from cryopick_ray.page.picture_tiles import MicrographPictures
from cryopick_ray.page.run_source import RunSource
from cryopick_ray.page.shared_decisions import SharedDecisions
from cryopick_ray.page.spelling import as_options
from cryopick_ray.page.true_particles import calibration, centres_of, matches_truth
from cryopick_ray.passes.decisions import Decision
from cryopick_ray.picks.part import no_picks
from cryopick_ray.picks.reasons import WORDS
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

if TYPE_CHECKING:
    from cryopick_ray.evaluation.truth import Truth
    from cryopick_ray.page.class_decisions import ClassAverages

MOST_READ = 64
"""Most micrographs that are recounted at once; more are counted in the background."""
TO_APPLY = (
    "There are decisions that the run's table and coordinates do not hold yet: press Apply, once the run has "
    "ended if it is at work."
)


class PageSession:
    """Everything that a page shows and changes.

    Parameters
    ----------
    settings
        What to show.
    """

    def __init__(self, settings: PageSettings) -> None:
        self.settings = settings
        self.opened: OpenedSources = open_sources(settings)
        self.shown = list(self.opened.shown)
        self.truth = _truth(settings.truth)
        pixels = self.opened.pixels
        shelf = self.opened.shelf
        self.pictures = None if pixels is None else MicrographPictures(pixels, self.opened.diameter_A, shelf)
        self.decisions = SharedDecisions(
            curation_folder(settings, self.opened.run), settings.by, self.opened.applied
        )
        self.averages = _averages(settings.classes, self.opened.run, self.decisions)
        self.tally = PageTally(
            self.shown[0], lambda: self.micrographs, self.truth, self.opened.diameter_A, self.decisions
        )
        self._listing = MicrographList(self.decisions, self.tally)

    @property
    def micrographs(self) -> Sequence[PickedMicrograph]:
        """All micrographs; a micrograph's index in this list does not change."""
        return self.opened.listed if self.opened.run is None else self.opened.run.micrographs

    @property
    def generation(self) -> int:
        """A number that grows with every change."""
        run = self.opened.run
        of_run = 0 if run is None else run.generation
        return of_run + self.decisions.generation + self.tally.generation + len(self.shown)

    def refresh(self) -> None:
        """Read changes by others: new picks of a run, decisions of other people."""
        if self.opened.run is not None and self.opened.run.refresh():
            self.shown[0].forget()
            self.decisions.applied = applied_decisions(self.opened.run, self.settings, [])
            self.tally.again()
        self.recount_decided(self.decisions.refresh())

    def about(self) -> dict[str, Any]:
        """Return the description of the page as plain data."""
        run = self.opened.run
        return {
            "title": self.shown[0].about.name,
            "version": __version__,
            "by": self.decisions.by,
            "people": self.decisions.people,
            "curation": str(self.decisions.folder),
            "is_writable": not self.decisions.why_read_only,
            "is_run": run is not None,
            "is_live": run is not None and run.is_live,
            "has_truth": self.truth is not None,
            "has_masks": run is not None,
            "has_classes": self.averages is not None,
            "has_pictures": self.pictures is not None,
            "looks": list(VIEWS),
            "diameter_A": self.opened.diameter_A,
            "has_filaments": self.decisions.applied.spacing_A is not None,
            "reasons": list(WORDS.values()),
            "sources": [vars(shown.about) for shown in self.shown],
            "notes": self.notes,
            "hint": self.hint,
        }

    @property
    def notes(self) -> list[str]:
        """Messages about what was left out, guessed, or cannot be read."""
        return [as_options(note) for note in (*self.opened.notes, *self.decisions.unread)]

    @property
    def hint(self) -> str:
        """Hint at decisions that are not applied yet; empty if there are none."""
        run = self.opened.run
        return "" if run is None or self.decisions.is_applied(run.began) else TO_APPLY

    def recount_decided(self, changed: Collection[str]) -> list[int]:
        """Recount micrographs whose decisions changed; return their indices."""
        ids = [micrograph.micrograph_id for micrograph in self.micrographs] if changed else []
        indices = [index for index, name in enumerate(ids) if name in changed]
        to_read = []
        for index in indices:
            if self.decisions.is_excluded(ids[index]):  # its picks need not be read
                self.tally.curate(index, no_picks(self.micrograph(index), self.opened.diameter_A))
            elif self.decisions.is_as_found(ids[index]):
                self.tally.curate(index, None)
            else:
                to_read.append(index)
        if len(to_read) > MOST_READ:
            self.tally.again()
            return indices
        for index in to_read:
            self.tally.curate(index, self.picks(0, index))
        return indices

    def listing(self) -> bytes:
        """Return all micrographs as JSON."""
        extra = {"notes": self.notes, "hint": self.hint}
        return self._listing.json(self.generation, self.micrographs, self.shown[0].about.threshold, extra)

    def micrograph(self, index: int) -> PickedMicrograph:
        """Return a micrograph by its index, or raise :class:`UnknownError`."""
        micrographs = self.micrographs
        if not 0 <= index < len(micrographs):
            raise UnknownError(f"there is no micrograph {index}; expected 0 to {len(micrographs) - 1}")
        return micrographs[index]

    def picks(self, source: int, index: int) -> MicrographPicks:
        """Return a micrograph's candidates in a source; decisions are applied to the first source."""
        if not 0 <= source < len(self.shown):
            raise UnknownError(f"there is no source {source}; expected 0 to {len(self.shown) - 1}")
        micrograph = self.micrograph(index)
        candidates = self.shown[source].picks(micrograph)
        picks = no_picks(micrograph, self.opened.diameter_A) if candidates is None else candidates
        return self.decisions.curated(picks) if source == 0 else picks

    def refresh_now(self) -> None:
        """Read at once what a job of the page changed in the run."""
        if self.opened.run is not None:
            self.opened.run.refresh_now()
        self.refresh()

    def show_beside(self, name: str, table: str) -> None:
        """Add a table's picks as a further source."""
        self.shown.append(
            open_beside(name, table, [micrograph.micrograph_id for micrograph in self.micrographs])
        )

    def decide(self, index: int, rows: Sequence[Decision]) -> None:
        """Keep decisions about a micrograph."""
        micrograph = self.micrograph(index)
        named_rows = [replace(row, micrograph_id=micrograph.micrograph_id) for row in rows]
        self.recount_decided(self.decisions.decide(micrograph, named_rows))

    def exclude(self, indices: Sequence[int], *, exclude: bool) -> None:
        """Exclude micrographs, or include them again."""
        ids = [self.micrograph(index).micrograph_id for index in indices]
        self.recount_decided(self.decisions.exclude(ids, exclude=exclude))

    def undo(self) -> list[int]:
        """Undo this person's last decisions; return the indices of their micrographs."""
        return self.recount_decided(self.decisions.undo())

    def candidates(self, source: int, index: int) -> bytes:
        """Return a micrograph's candidates as packed bytes."""
        picks = self.picks(source, index)
        return packed_candidates(picks, matches_truth(self.truth, picks, self.opened.diameter_A))

    def true_places(self, index: int) -> bytes:
        """Return a micrograph's true particles as packed bytes."""
        centres = centres_of(self.truth, self.micrograph(index))
        if centres is None:
            raise UnknownError("its true particles are not known: give `truth`")
        return packed_places(centres[:, 0], centres[:, 1])

    def thumbnail(self, index: int) -> bytes:
        """Return a whole micrograph as a small JPEG."""
        return self._pictures().thumbnail(self._pixel_id(index))

    def picture(self, index: int) -> bytes:
        """Return a whole micrograph as a larger JPEG."""
        return self._pictures().picture(self._pixel_id(index))

    def pyramid(self, index: int) -> dict[str, Any]:
        """Return the sizes of a micrograph's tiles."""
        pyramid = self._pictures().pyramid(self._pixel_id(index))
        height, width = pyramid.source
        return {
            "width_px": width,
            "height_px": height,
            "tile_px": TILE_PX,
            "max_level": pyramid.max_level,
            "frame": [0, 0, width, height],
        }

    def tile(self, look: str, index: int, level: int, column: int, row: int) -> bytes:
        """Return a tile as a JPEG."""
        size_A = self.micrograph(index).pixel_size_A
        return self._pictures().tile(look, self._pixel_id(index), size_A, level, column, row)

    def mask(self, index: int) -> tuple[bytes, tuple[float, float, float, float]]:
        """Return the junk mask as a translucent PNG, and its frame in the micrograph."""
        from cryopick_ray.formats.mask_names import masks_of
        from cryopick_ray.runs.results.junk_summary import tints_of

        run, micrograph = self.opened.run, self.micrograph(index)
        if run is None:
            raise UnknownError("only runs have masks")
        outside = masks_of(run.settings.masks, run.folder.store).get(micrograph.micrograph_id)
        tints = tints_of(micrograph, run.store.place, outside)
        if not tints:
            raise UnknownError(f"{micrograph.micrograph_id} has no junk")
        return tints[-1].png, tints[-1].frame

    def calibration(self) -> list[dict[str, Any]]:
        """Return mean scores and shares of true particles, by bins of the score."""
        if (counted := self.tally.counted) is None:
            raise NotReadyError
        return calibration(counted.candidates, counted.has_truth)

    def close(self) -> None:
        """Stop the background thread and release the decision file."""
        self.tally.stop()
        self.decisions.close()

    def classes(self) -> "ClassAverages":
        """Return the class averages, or raise :class:`UnknownError`."""
        if self.averages is None:
            raise UnknownError("there are no class averages: give `classes`, a folder of classify2d")
        return self.averages

    def _pictures(self) -> MicrographPictures:
        if self.pictures is None:
            raise UnknownError("nothing says where the micrographs are: give `micrographs`")
        return self.pictures

    def _pixel_id(self, index: int) -> str:
        name, ids = self.micrograph(index).micrograph_id, self.opened.pixel_ids
        if ids is None:
            return name
        if name not in ids:
            raise MicrographError(f"{name} is not among the `micrographs`; give those that were picked")
        return ids[name]


def _truth(where: str | None) -> "Truth | None":
    if where is None:
        return None
    from cryopick_ray.evaluation.truth import read_truth

    return read_truth(where)


def _averages(
    folder: Path | None, run: RunSource | None, decisions: SharedDecisions
) -> "ClassAverages | None":
    """Return the class averages in a folder, or those that lie in a run, if there are any."""
    class_folder = folder or (None if run is None else run.folder.path / "classes")
    if class_folder is None or (folder is None and not (class_folder / "classes.json").is_file()):
        return None
    from cryopick_ray.page.class_decisions import ClassAverages

    return ClassAverages(class_folder, decisions.folder, decisions.by)
