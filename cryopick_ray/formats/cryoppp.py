"""CryoPPP's csv of labels: centres and diameters in pixels of its JPEGs, whose first row is the last."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.box_size import diameters_px
from cryopick_ray.formats.coordinates import Coordinates, from_file
from cryopick_ray.formats.export_paths import complete, without_extension
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.text import header, rows, table_text
from cryopick_ray.store.publish import below, write_whole

X, Y, DIAMETER = COLUMNS = ("X-Coordinate", "Y-Coordinate", "Diameter")


def write_cryoppp(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/<micrograph without extension>.csv``.

    Raises
    ------
    PicksError
        The height of a micrograph is not known.
    """
    for name, one in complete(picks, without_extension, settings.say):
        height = one.micrograph.shape[0] if one.micrograph.shape else settings.image_height
        if height is None:
            raise PicksError(
                f"height of {one.micrograph.micrograph_id!r} is missing, expected pixels, for CryoPPP counts "
                "rows from the last: give `image_height`"
            )
        flipped = one.flipped(height)
        diameters = diameters_px(one, settings.box_px)
        circles = table_text("%.3f,%.3f,%.3f", flipped.x_px, flipped.y_px, diameters)
        write_whole(below(out, f"{name}.csv"), ",".join(COLUMNS) + f"\n{circles}")


def read_cryoppp(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the particles of a file, upside down."""
    del note
    found = [(row.value(X), row.value(Y), row.value_or_nan(DIAMETER)) for row in rows(path, ",")]
    x, y, size = zip(*found, strict=True) if found else ((), (), ())
    yield from_file(name, x, y, None, list(zip(size, size, strict=True)), is_upside_down=True)


CRYOPPP = Format(
    name="cryoppp",
    title="CryoPPP csv",
    suffixes=(".csv",),
    looks_like=lambda head: {X, Y} <= header(head, ","),
    read=read_cryoppp,
    write=write_cryoppp,
    holds=frozenset({"boxes", "fractions", "empty", "folders"}),
)
