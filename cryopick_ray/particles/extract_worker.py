"""Micrographs to stacks of particles: what one worker does with a unit."""

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.engine.unit import UnitReport, stay, until
from cryopick_ray.errors import CryoPickError, MicrographError
from cryopick_ray.formats.coordinates import Coordinates, picked
from cryopick_ray.formats.filament_files import along
from cryopick_ray.formats.relion.particle_rows import ORIGINS_A, SCORE, X, Y
from cryopick_ray.formats.relion.particles import coordinate_rows, ctf_of, more_columns
from cryopick_ray.particles.crop import (
    Centres,
    common_value,
    crop,
    is_inside,
    is_touched,
    origins_A,
    whole_centres,
)
from cryopick_ray.particles.extract_settings import SLACK, BoxSize, ExtractSettings
from cryopick_ray.particles.extracted_part import ExtractedPart, read_part, write_part
from cryopick_ray.particles.normalise import Background, normalise
from cryopick_ray.particles.pixels import Image, InFile, MicrographsInStore
from cryopick_ray.particles.rescale import resample, rescale
from cryopick_ray.particles.stack import StackWriter, stack_bytes, written_stack
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.picks.table import PickTable, open_table
from cryopick_ray.store.publish import below

BATCH_BYTES, LEAST_BATCH = 2**18, 4
"""Boxes that are worked on at once stay in a core's cache."""
PARTS = "parts"
DEFOCUS = "rlnDefocusU"


@dataclass(frozen=True, eq=False)
class ToExtract:
    """A micrograph whose particles are to be cut out.

    Attributes
    ----------
    stem
        Its stacks and parts are called so, below their folders.
    digest
        Of its picks and of the file with its pixels.
    coordinates
        Its particles; ``None`` if they are in the table.
    """

    micrograph: PickedMicrograph
    pixels: InFile | MicrographsInStore
    stem: str
    digest: str
    coordinates: Coordinates | None = None

    @property
    def micrograph_id(self) -> str:
        """Id of the micrograph."""
        return self.micrograph.micrograph_id

    def stack(self, out: Path, size: BoxSize) -> Path:
        """Return where its images of a size are."""
        return out / size.name / f"{self.stem}.mrcs"

    def part(self, out: Path, size: BoxSize) -> Path:
        """Return where their rows are."""
        return out / PARTS / size.name / f"{self.stem}.rows"

    def done(self, out: Path, size: BoxSize, *, is_half: bool) -> ExtractedPart | None:
        """Return what is said of its particles, if they are there, whole, and of these picks."""
        part = read_part(self.part(out, size))
        if part is None or part.digest != self.digest:
            return None
        stack, wanted = self.stack(out, size), stack_bytes(part.particles, part.box_px, is_half=is_half)
        return part if not part.particles or (stack.is_file() and stack.stat().st_size == wanted) else None


class ExtractWorker:
    """Cuts particles out of micrographs and writes a stack of each, and then the rows of its particles.

    Parameters
    ----------
    table
        Where the picks are that items do not bring along.
    """

    def __init__(self, out: Path, settings: ExtractSettings, table: str | None) -> None:
        self._out, self._settings = out, settings
        self._table: PickTable | None = open_table(table) if table else None
        self._backgrounds: dict[tuple[int, float], Background] = {}

    def process(self, items: Sequence[ToExtract], leaving: Callable[[], bool] = stay) -> UnitReport:
        """Extract the particles of the micrographs; a second worker would write the same files."""
        start = time.perf_counter()
        ids = [item.micrograph_id for item in items if item.coordinates is None]
        found = self._table.of(ids) if self._table and ids else {}
        picks = {name: next(picked([one])) for name, one in found.items()}
        failures, begun = list[tuple[str, str]](), 0
        for item in until(leaving, items):
            begun += 1
            name = item.micrograph_id
            try:
                self._extract(item, item.coordinates or picks[name])
            except CryoPickError as error:
                if error.elsewhere:
                    raise
                failures.append((name, str(error)))
        undone = tuple(range(begun, len(items)))
        return UnitReport(
            begun - len(failures),
            tuple(failures),
            undone=undone,
            seconds={"extract": time.perf_counter() - start},
        )

    def give_up(self, items: Sequence[ToExtract], reason: str) -> UnitReport:
        """Report that the micrographs failed."""
        return UnitReport(complete=0, failures=tuple((item.micrograph_id, reason) for item in items))

    def _extract(self, item: ToExtract, coordinates: Coordinates) -> None:
        """Write what is not there of a micrograph."""
        settings = self._settings
        image = item.pixels.read(item.micrograph, settings.pixel_size_A)
        if coordinates.is_upside_down:
            coordinates = coordinates.flipped(image.shape[0])
        coordinates = along(
            replace(coordinates, micrograph=replace(item.micrograph, pixel_size_A=image.pixel_size_A))
        )
        for size in settings.sizes:
            if item.done(self._out, size, is_half=settings.float16) is None:
                self._write(item, coordinates, image, size)

    def _write(self, item: ToExtract, coordinates: Coordinates, image: Image, size: BoxSize) -> None:
        """Write the stack of a size, and then its rows: whoever finds those finds the stack."""
        cut = _Cut.of(coordinates, image, size)
        stack = below(self._out, f"{size.name}/{item.stem}.mrcs")
        is_half = self._settings.float16
        with written_stack(stack, cut.box_px, cut.pixel_size_A, is_half=is_half) as writer:
            touched = np.flatnonzero(is_touched(cut.centres, cut.side, cut.pixels.shape))
            kept = touched[self._images(item, cut, touched, writer)]
        if not len(kept):
            stack.unlink()
        columns, rows = cut.rows(coordinates, kept)
        part = ExtractedPart(
            digest=item.digest,
            particles=len(kept),
            columns=columns,
            micrograph_pixel_size_A=image.pixel_size_A,
            pixel_size_A=cut.pixel_size_A,
            box_px=cut.box_px,
            is_stored=isinstance(item.pixels, MicrographsInStore),
            beyond_edge=int((~is_inside(cut.centres[kept], cut.side, cut.pixels.shape)).sum()),
            outside=len(cut.centres) - len(touched),
            without_data=len(touched) - len(kept),
            has_ctf=DEFOCUS in columns,
            doubts=image.doubts,
        )
        write_part(self._out, f"{PARTS}/{size.name}/{item.stem}.rows", part, rows)

    def _images(
        self, item: ToExtract, cut: "_Cut", chosen: NDArray[np.intp], writer: StackWriter
    ) -> NDArray[np.bool_]:
        """Write the images of some particles; return ``(n,)`` bool, false of those without numbers."""
        settings, inverted = self._settings, self._settings.invert
        sign = np.float32(1 if (item.micrograph.inverted if inverted is None else not inverted) else -1)
        background = self._background(cut)
        offset = common_value(cut.pixels)
        count = max(LEAST_BATCH, BATCH_BYTES // (4 * cut.side**2))
        seeds = np.random.SeedSequence(zlib.crc32(item.micrograph_id.encode()))
        found: list[NDArray[np.bool_]] = [np.empty(0, bool)]
        for start in range(0, len(chosen), count):
            boxes = crop(cut.pixels, cut.centres[chosen[start : start + count]], cut.side, offset)
            with np.errstate(invalid="ignore", over="ignore"):
                images = normalise(cut.scaled(boxes), background, settings.dust, seeds.spawn(1)[0])
                is_whole = np.asarray(np.isfinite(images).all(axis=(1, 2)))
            images *= sign
            writer.add(images[is_whole] if not is_whole.all() else images)
            found.append(is_whole)
        return np.concatenate(found)

    def _background(self, cut: "_Cut") -> Background:
        key = cut.box_px, self._settings.radius_px(cut.box_px, cut.pixel_size_A)
        if key not in self._backgrounds:
            try:
                self._backgrounds[key] = Background(*key)
            except ValueError as error:
                raise MicrographError(f"{error}: change `background_radius_A`") from error
        return self._backgrounds[key]


@dataclass(frozen=True, eq=False)
class _Cut:
    """How boxes of a size are cut out of an image.

    Attributes
    ----------
    pixels
        ``(h, w)`` of the image.
    scale
        Its pixels a pixel of the micrograph, along x and y.
    micrograph_A
        Size of the micrograph's pixels in angstroms.
    centres
        ``(n, 2)`` whole pixels of the image.
    side, box_px
        Of boxes in pixels, before and after scaling.
    step_px
        Pixels of the image that make up one after scaling.
    """

    pixels: NDArray[Any]
    scale: NDArray[np.float64]
    micrograph_A: float
    centres: Centres
    side: int
    box_px: int
    step_px: float

    @classmethod
    def of(cls, coordinates: Coordinates, image: Image, size: BoxSize) -> "_Cut":
        scale = np.array(image.pixels.shape[::-1]) / image.shape[::-1]
        centres = whole_centres(coordinates.x_px * scale[0], coordinates.y_px * scale[1])
        sides = size.sides(image.pixel_size_A * image.coarser, image.coarser)
        return cls(image.pixels, scale, image.pixel_size_A, centres, *sides)

    @property
    def pixel_size_A(self) -> float:
        """Of images, after scaling."""
        return float(self.micrograph_A / self.scale[0] * self.step_px)

    def scaled(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return boxes of the side and the pixel size that images have."""
        if abs(self.step_px * self.box_px - self.side) <= 2 * SLACK:
            return rescale(boxes, self.box_px)
        return resample(boxes, self.box_px, self.step_px)

    def rows(self, coordinates: Coordinates, kept: NDArray[np.intp]) -> tuple[tuple[str, ...], list[str]]:
        """Return columns and rows of the particles kept: where they are, all that is known, and origins."""
        places = self.centres / self.scale
        origins = origins_A(places, coordinates.x_px, coordinates.y_px, self.micrograph_A)
        x_px, y_px = places.T
        more = more_columns(coordinates)
        ctf = {name: word for name, word in ctf_of(coordinates).items() if name not in more}
        end = "".join(f" {word}" for word in ctf.values())
        words = coordinate_rows(replace(coordinates, x_px=x_px, y_px=y_px), more)
        rows = [f"{words[at]}{end} {x:.6f} {y:.6f}" for at, (x, y) in zip(kept, origins[kept], strict=True)]
        return (X, Y, SCORE, *more, *ctf, *ORIGINS_A), rows
