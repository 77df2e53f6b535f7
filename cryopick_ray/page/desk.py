"""What lies on the page: micrographs, their candidates and pictures, and what people decide about them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryopick_ray import __version__
from cryopick_ray.errors import MicrographError
from cryopick_ray.page.counting import PageTally
from cryopick_ray.page.filtered_views import LOOKS
from cryopick_ray.page.judgement import Judgement
from cryopick_ray.page.levels import TILE_PX
from cryopick_ray.page.micrograph_list import Listing
from cryopick_ray.page.missing import NotReadyError, UnknownError
from cryopick_ray.page.opened import (
    Opened,
    PageSettings,
    applied_of,
    curation_folder,
    open_beside,
    open_sources,
)
from cryopick_ray.page.packing import packed_candidates, packed_places
from cryopick_ray.page.picture_tiles import Pictures
from cryopick_ray.page.run_source import RunSource
from cryopick_ray.page.spelling import as_options
from cryopick_ray.page.truths import calibration, centres_of, finds
from cryopick_ray.passes.decisions import Decision
from cryopick_ray.picks.part import no_picks
from cryopick_ray.picks.reasons import WORDS
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

if TYPE_CHECKING:
    from cryopick_ray.evaluation.truth import Truth
    from cryopick_ray.page.class_decisions import ClassAverages

MOST_READ = 64
"""Micrographs that are read at once to be counted; more are counted in the background."""
TO_APPLY = (
    "There are decisions that the run's table and coordinates do not hold yet: press Apply, once the run has "
    "ended if it is at work."
)


class Desk:
    """All that a page asks for.

    Parameters
    ----------
    settings
        What is shown.
    """

    def __init__(self, settings: PageSettings) -> None:
        self.settings = settings
        self.opened: Opened = open_sources(settings)
        self.shown = list(self.opened.shown)
        self.truth = _truth(settings.truth)
        pixels = self.opened.pixels
        shelf = self.opened.shelf
        self.pictures = None if pixels is None else Pictures(pixels, self.opened.diameter_A, shelf)
        self.judgement = Judgement(
            curation_folder(settings, self.opened.run), settings.by, self.opened.applied
        )
        self.averages = _averages(settings.classes, self.opened.run, self.judgement)
        self.tally = PageTally(
            self.shown[0], lambda: self.micrographs, self.truth, self.opened.diameter_A, self.judgement
        )
        self._listing = Listing(self.judgement, self.tally)

    @property
    def micrographs(self) -> Sequence[PickedMicrograph]:
        """All of them; a place in this list stays one micrograph's."""
        return self.opened.listed if self.opened.run is None else self.opened.run.micrographs

    @property
    def generation(self) -> int:
        """A number that grows with every change."""
        run = self.opened.run
        of_run = 0 if run is None else run.generation
        return of_run + self.judgement.generation + self.tally.generation + len(self.shown)

    def refresh(self) -> None:
        """Look for what others did meanwhile: a run that goes on, people who decide."""
        if self.opened.run is not None and self.opened.run.refresh():
            self.shown[0].forget()
            self.judgement.applied = applied_of(self.opened.run, self.settings, [])
            self.tally.again()
        self.heed(self.judgement.refresh())

    def about(self) -> dict[str, Any]:
        """Return what the page is of."""
        run = self.opened.run
        return {
            "title": self.shown[0].about.name,
            "version": __version__,
            "by": self.judgement.by,
            "people": self.judgement.people,
            "curation": str(self.judgement.folder),
            "is_writable": not self.judgement.why_not,
            "is_run": run is not None,
            "is_live": run is not None and run.is_live,
            "has_truth": self.truth is not None,
            "has_masks": run is not None,
            "has_classes": self.averages is not None,
            "has_pictures": self.pictures is not None,
            "looks": list(LOOKS),
            "diameter_A": self.opened.diameter_A,
            "has_filaments": self.judgement.applied.spacing_A is not None,
            "reasons": list(WORDS.values()),
            "sources": [vars(one.about) for one in self.shown],
            "notes": self.notes,
            "hint": self.hint,
        }

    @property
    def notes(self) -> list[str]:
        """What was left out or guessed, or cannot be read now."""
        return [as_options(one) for one in (*self.opened.notes, *self.judgement.unread)]

    @property
    def hint(self) -> str:
        """What is still to be done; empty if nothing is."""
        run = self.opened.run
        return "" if run is None or self.judgement.is_heeded(run.began) else TO_APPLY

    def heed(self, changed: Collection[str]) -> list[int]:
        """Count anew where decisions changed; return the places of these micrographs."""
        ids = [micrograph.micrograph_id for micrograph in self.micrographs] if changed else []
        places = [at for at, name in enumerate(ids) if name in changed]
        to_read = []
        for place in places:
            if self.judgement.is_excluded(ids[place]):  # which needs no reading
                self.tally.curate(place, no_picks(self.micrograph(place), self.opened.diameter_A))
            elif self.judgement.is_as_found(ids[place]):
                self.tally.curate(place, None)
            else:
                to_read.append(place)
        if len(to_read) > MOST_READ:
            self.tally.again()
            return places
        for place in to_read:
            self.tally.curate(place, self.picks(0, place))
        return places

    def listing(self) -> bytes:
        """Return all micrographs as JSON."""
        told = {"notes": self.notes, "hint": self.hint}
        return self._listing.json(self.generation, self.micrographs, self.shown[0].about.threshold, told)

    def micrograph(self, place: int) -> PickedMicrograph:
        """Return a micrograph by its place, or raise :class:`UnknownError`."""
        micrographs = self.micrographs
        if not 0 <= place < len(micrographs):
            raise UnknownError(f"there is no micrograph {place}; expected 0 to {len(micrographs) - 1}")
        return micrographs[place]

    def picks(self, source: int, place: int) -> MicrographPicks:
        """Return a micrograph's candidates in a source; of the first one as people decided."""
        if not 0 <= source < len(self.shown):
            raise UnknownError(f"there is no source {source}; expected 0 to {len(self.shown) - 1}")
        about = self.micrograph(place)
        found = self.shown[source].picks(about)
        picks = no_picks(about, self.opened.diameter_A) if found is None else found
        return self.judgement.curated(picks) if source == 0 else picks

    def look_again(self) -> None:
        """See at once what a job of the page did to the run."""
        if self.opened.run is not None:
            self.opened.run.look_now()
        self.refresh()

    def show_beside(self, name: str, table: str) -> None:
        """Show the picks of a table beside the others."""
        self.shown.append(
            open_beside(name, table, [micrograph.micrograph_id for micrograph in self.micrographs])
        )

    def decide(self, place: int, rows: Sequence[Decision]) -> None:
        """Keep decisions about a micrograph."""
        about = self.micrograph(place)
        own = [replace(row, micrograph_id=about.micrograph_id) for row in rows]
        self.heed(self.judgement.decide(about, own))

    def exclude(self, places: Sequence[int], *, exclude: bool) -> None:
        """Leave micrographs out, or take them back."""
        ids = [self.micrograph(place).micrograph_id for place in places]
        self.heed(self.judgement.exclude(ids, exclude=exclude))

    def undo(self) -> list[int]:
        """Take back what this person decided last; return the places of micrographs that it was about."""
        return self.heed(self.judgement.undo())

    def candidates(self, source: int, place: int) -> bytes:
        """Return the same as bytes."""
        picks = self.picks(source, place)
        return packed_candidates(picks, finds(self.truth, picks, self.opened.diameter_A))

    def true_places(self, place: int) -> bytes:
        """Return a micrograph's true particles as bytes."""
        centres = centres_of(self.truth, self.micrograph(place))
        if centres is None:
            raise UnknownError("its true particles are not known: give `truth`")
        return packed_places(centres[:, 0], centres[:, 1])

    def thumbnail(self, place: int) -> bytes:
        """Return a whole micrograph as a small JPEG."""
        return self._pictures().thumbnail(self._pixel_id(place))

    def picture(self, place: int) -> bytes:
        """Return a whole micrograph as a larger one."""
        return self._pictures().picture(self._pixel_id(place))

    def pyramid(self, place: int) -> dict[str, Any]:
        """Return the sizes of a micrograph's tiles."""
        found = self._pictures().pyramid(self._pixel_id(place))
        height, width = found.source
        return {
            "width_px": width,
            "height_px": height,
            "tile_px": TILE_PX,
            "max_level": found.max_level,
            "frame": [0, 0, width, height],
        }

    def tile(self, look: str, place: int, level: int, column: int, row: int) -> bytes:
        """Return a tile as a JPEG."""
        size_A = self.micrograph(place).pixel_size_A
        return self._pictures().tile(look, self._pixel_id(place), size_A, level, column, row)

    def mask(self, place: int) -> tuple[bytes, tuple[float, float, float, float]]:
        """Return junk as a translucent PNG, and where it lies in the micrograph."""
        from cryopick_ray.formats.mask_names import masks_of
        from cryopick_ray.runs.junk_summary import tints_of

        run, about = self.opened.run, self.micrograph(place)
        if run is None:
            raise UnknownError("only runs have masks")
        outside = masks_of(run.settings.masks, run.folder.store).get(about.micrograph_id)
        tints = tints_of(about, run.store.place, outside)
        if not tints:
            raise UnknownError(f"{about.micrograph_id} has no junk")
        return tints[-1].png, tints[-1].frame

    def calibration(self) -> list[dict[str, Any]]:
        """Return what scores promise and what is true."""
        if (counted := self.tally.counted) is None:
            raise NotReadyError
        return calibration(counted.candidates, counted.has_truth)

    def close(self) -> None:
        """End what goes on in the background."""
        self.tally.stop()
        self.judgement.close()

    def classes(self) -> "ClassAverages":
        """Return the class averages, or raise :class:`UnknownError`."""
        if self.averages is None:
            raise UnknownError("there are no class averages: give `classes`, a folder of classify2d")
        return self.averages

    def _pictures(self) -> Pictures:
        if self.pictures is None:
            raise UnknownError("nothing says where the micrographs are: give `micrographs`")
        return self.pictures

    def _pixel_id(self, place: int) -> str:
        name, ids = self.micrograph(place).micrograph_id, self.opened.pixel_ids
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


def _averages(folder: Path | None, run: RunSource | None, judgement: Judgement) -> "ClassAverages | None":
    """Return the class averages in a folder, or those that lie in a run, if there are any."""
    found = folder or (None if run is None else run.folder.path / "classes")
    if found is None or (folder is None and not (found / "classes.json").is_file()):
        return None
    from cryopick_ray.page.class_decisions import ClassAverages

    return ClassAverages(found, judgement.folder, judgement.by)
