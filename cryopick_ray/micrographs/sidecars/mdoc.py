"""SerialEM's ``.mdoc`` files: the section of one frame file or image."""

import re

from cryopick_ray.micrographs.movies.movie import MAX_FRAMES
from cryopick_ray.micrographs.optics_groups import positive
from cryopick_ray.micrographs.pixel_size import LARGEST_A, SMALLEST_A
from cryopick_ray.micrographs.roles import stem_of
from cryopick_ray.micrographs.sidecars.sidecar import MICROSCOPES_KV, Sidecar, SidecarValues
from cryopick_ray.units import Shape

CALLED = ".mdoc"
KEYS = {
    *("PixelSpacing", "Binning", "ImageSize", "Montage", "PieceCoordinates", "SubFramePath", "NumSubFrames"),
    *("ExposureDose", "FrameDosesAndNumber", "GainReference", "RotationAndFlip", "Voltage"),
}
SECTION = re.compile(r"\[(FrameSet|ZValue)\s*=.*\]")
Section = dict[str, str]


def read_mdoc(content: bytes, name: str) -> Sidecar:
    """Return the values that a ``.mdoc`` states of a file.

    Its section is the one whose SubFramePath names it, else the only one. Montages and the many sections of
    a tilt series say nothing.

    Parameters
    ----------
    name
        Of the file; only its stem counts, as frames may have been converted since.
    """
    head, sections = _sections(content.decode("utf-8", "replace"))
    section = _section_of(sections, stem_of(name))
    if section is None or head.get("Montage", "0") != "0" or "PieceCoordinates" in section:
        return Sidecar(CALLED)
    values = SidecarValues(CALLED, {**head, **section})
    dose, count = _dose_of_frames(values.words.get("FrameDosesAndNumber", ""))
    return Sidecar(
        CALLED,
        pixel_size_A=values.number("PixelSpacing", 1, SMALLEST_A, LARGEST_A),
        shape=_shape(values.words.get("ImageSize", "")),
        binning=values.number("Binning", 1, 1 / 16, 64),
        frames=values.whole("NumSubFrames"),
        dose_e_A2=values.number("ExposureDose"),
        dose_per_frame_e_A2=dose,
        dosed_frames=count,
        gain=_base_name(values.words.get("GainReference", "")),
        turned=_turned(values.words.get("RotationAndFlip", "0")),
        voltage_kV=values.number("Voltage", 1, *MICROSCOPES_KV),
        notes=tuple(values.notes),
    )


def _sections(text: str) -> tuple[Section, list[tuple[str, Section]]]:
    """Return the head before the first section, and the sections of images with their kinds."""
    head: Section = {}
    here = head
    sections: list[tuple[str, Section]] = []
    for line in text.split("\n"):
        if found := SECTION.match(line.strip()):
            here = {}
            sections.append((found[1], here))
        key, _, value = line.partition("=")
        if (key := key.strip()) in KEYS:
            here[key] = value.strip()
    return head, sections


def _section_of(sections: list[tuple[str, Section]], stem: str) -> Section | None:
    named = [own for _, own in sections if stem_of(_base_name(own.get("SubFramePath", ""))) == stem]
    if named:
        return named[-1]  # taken again under its name
    # A frame set's ZValue sections are parts of its frames.
    alone = [own for kind, own in sections if kind == "FrameSet"] or [own for _, own in sections]
    return alone[0] if len(alone) == 1 else None


def _base_name(path: str) -> str:
    """Return a file's name without the folder, which is one of Windows."""
    return re.split(r"[\\/]", path)[-1]


def _dose_of_frames(text: str) -> tuple[float | None, int | None]:
    """Return the dose of each frame and their number from pairs of both; nothing if doses differ."""
    words = [positive(word) for word in text.split()]
    doses, counts = set(words[::2]), words[1::2]
    if len(doses) != 1 or len(words) % 2 or None in (*doses, *counts):
        return None, None
    return doses.pop(), round(min(sum(count or 0 for count in counts), MAX_FRAMES + 1))


def _shape(text: str) -> Shape | None:
    """Return height and width, of which the width stands first."""
    found = re.fullmatch(r"([1-9]\d{0,5})\s+([1-9]\d{0,5})", text, re.ASCII)
    return (int(found[2]), int(found[1])) if found else None


def _turned(text: str) -> int:
    return int(text) if re.fullmatch(r"-?\d{1,3}", text, re.ASCII) else 0
