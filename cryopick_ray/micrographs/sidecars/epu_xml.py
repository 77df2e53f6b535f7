"""EPU's XML beside an image or movie of a foil hole."""

import math
from xml.parsers import expat

from cryopick_ray.micrographs.pixel_size import LARGEST_A, SMALLEST_A
from cryopick_ray.micrographs.sidecars.sidecar import MICROSCOPES_KV, Sidecar, SidecarValues

CALLED = "EPU xml"
ROOT = "MicroscopeImage"
WANTED = {
    ("pixelSize", "x", "numericValue"): "pixelSize",
    ("camera", "Binning", "x"): "Binning",
    ("camera", "ReadoutArea", "height"): "height",
    ("camera", "ReadoutArea", "width"): "width",
    ("microscopeData", "gun", "AccelerationVoltage"): "AccelerationVoltage",
    ("CustomData", "KeyValueOfstringanyType", "Key"): "Key",
    ("CustomData", "KeyValueOfstringanyType", "Value"): "Value",
}
FRACTIONS = "numberoffractions"
MAX_DEPTH, MAX_LETTERS = 64, 128
METRE_A, KILOVOLT, ELECTRONS_M2 = 1e10, 1e-3, 1e-20


class _ForeignError(Exception):
    """The file is of another program."""


class _Walker:
    """Keeps the words that are wanted, by what they are called; names count without their namespaces."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}
        self._stack: list[str] = []
        self._text = ""
        self._key = ""

    def walk(self, content: bytes) -> dict[str, str]:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._add
        try:
            parser.Parse(content, True)
        except (expat.ExpatError, LookupError) as error:
            raise ValueError("it is no whole XML") from error
        return self.words

    def _refuse(self, *_: object) -> None:
        raise ValueError("it has a DOCTYPE, which may define what never ends")

    def _start(self, tag: str, _: object) -> None:
        name = tag.rpartition(":")[2][:MAX_LETTERS]
        if not self._stack and name != ROOT:
            raise _ForeignError
        if len(self._stack) >= MAX_DEPTH:
            raise ValueError("it is nested too deep")
        self._stack.append(name)
        self._text = ""

    def _add(self, text: str) -> None:
        self._text = (self._text + text[:MAX_LETTERS])[:MAX_LETTERS]

    def _end(self, _: str) -> None:
        called = WANTED.get(tuple(self._stack[-3:]))  # type: ignore[arg-type]
        if self._stack.pop().lower() == FRACTIONS:
            called = FRACTIONS
        if called == "Key":
            self._key = self._text
        elif called == "Value":
            if self._key == "Dose":
                self.words.setdefault("Dose", self._text)
        elif called is not None:
            self.words.setdefault(called, self._text)
        self._text = ""


def read_epu_xml(content: bytes) -> Sidecar:
    """Return the values that EPU states of an image; none if another program wrote the file.

    Raises
    ------
    ValueError
        It is no XML, or one that is not to be read.
    """
    try:
        values = SidecarValues(CALLED, _Walker().walk(content))
    except _ForeignError:
        return Sidecar()
    binning = values.number("Binning", 1, 1 / 16, 64)
    sides = [values.number(side, 1 / (binning or 1), 1, 2**16) for side in ("height", "width")]
    height, width = (math.floor(side or 0) for side in sides)
    return Sidecar(
        CALLED,
        pixel_size_A=values.number("pixelSize", METRE_A, SMALLEST_A, LARGEST_A),
        shape=(height, width) if height and width else None,
        binning=binning,
        frames=values.whole(FRACTIONS),
        dose_e_A2=values.number("Dose", ELECTRONS_M2),
        voltage_kV=values.number("AccelerationVoltage", KILOVOLT, *MICROSCOPES_KV),
        notes=tuple(values.notes),
    )
