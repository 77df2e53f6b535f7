"""Finding the sidecar of an image or movie."""

import os
import re
from pathlib import Path

from cryopick_ray.errors import brief
from cryopick_ray.micrographs.roles import stem_of
from cryopick_ray.micrographs.sidecars import epu_xml, mdoc
from cryopick_ray.micrographs.sidecars.sidecar import Sidecar, content_of

_EPU_MOVIE = re.compile(r"_(?:fractions|eer)$", re.IGNORECASE)


def sidecar_of(path: Path) -> Sidecar:
    """Return the values of SerialEM's ``.mdoc`` beside a file, else of EPU's XML.

    One that cannot be read says so in its notes, and nothing else: an image can be used without.
    """
    stem = stem_of(path.name)
    for name in (f"{path.name}.mdoc", f"{stem}.mdoc"):
        if os.path.isfile(beside := path.parent / name):
            return _read(beside, path.name, mdoc.CALLED)
    if os.path.isfile(beside := path.parent / f"{_EPU_MOVIE.sub('', stem)}.xml"):
        return _read(beside, path.name, epu_xml.CALLED)
    return Sidecar()


def _read(beside: Path, name: str, called: str) -> Sidecar:
    try:
        content = content_of(beside)
        return mdoc.read_mdoc(content, name) if called == mdoc.CALLED else epu_xml.read_epu_xml(content)
    except OSError as error:
        reason = f"it cannot be read: {error.strerror}"
    except ValueError as error:
        reason = brief(error)
    return Sidecar(called, notes=(f"its {called} is not used: {reason}",))
