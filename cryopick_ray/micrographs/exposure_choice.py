"""One image of each exposure: what is left out of a folder, and why."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from cryopick_ray.errors import brief
from cryopick_ray.micrographs.roles import (
    APART,
    Kind,
    exposure_of,
    gains_are_credible,
    job_of,
    kind_of,
    wrongly_apart,
)

_CALLED: dict[str, tuple[str, str]] = {
    "stack": ("a stack", "stacks"),
    "half": ("a sum of half the frames", "sums of half the frames"),
    "overview": ("an overview", "overviews"),
    "result": ("particles, a mask or a map", "files of particles, masks and maps"),
    "background": ("a background", "backgrounds"),
    "spectrum": ("a power spectrum", "power spectra"),
    "gain": ("a gain reference or the like", "gain references and the like"),
}
_OTHERS = {3: "not dose-weighted images", 4: "movies", 5: "denoised images", 6: "half sums", 7: "previews"}


@dataclass(frozen=True)
class LeftOut:
    """Why an image is not picked.

    Attributes
    ----------
    kind
        What it is, in the plural.
    reason
        For a person; names the image that is picked for its exposure, if there is one.
    """

    kind: str
    reason: str


def left_out(
    paths: Sequence[str], taken: Collection[str] = (), *, is_whole: bool = True
) -> dict[str, LeftOut]:
    """Return what of a data set is not to be picked, so that every exposure is picked once.

    Spectra, halves, gains and the like are left out where there are images of exposures, and are
    taken for images where there is nothing else, or where their words are in too many names.

    Parameters
    ----------
    paths
        Below the root of the data set.
    taken
        What was picked before: it stays the image of its exposure, whatever comes.
    is_whole
        Whether all that will be there is: else what may accompany images is never taken for one.
    """
    kinds = _kinds(dict.fromkeys((*taken, *paths)), is_whole=is_whole)
    kinds = {path: kinds[path] for path in paths if path not in taken}
    out = {
        path: LeftOut(_CALLED[kind][1], f"by its name {_CALLED[kind][0]}")
        for path, kind in kinds.items()
        if kind in APART
    }
    best: dict[str, tuple[tuple[bool, int, int, str], str]] = {}
    ranked = {}
    for path in (*taken, *(path for path in kinds if path not in out)):
        key, preference = exposure_of(path)
        ranked[path] = key, preference
        found = (path not in taken, preference, -job_of(path), path), path
        best[key] = min(best.get(key, found), found)
    for path in kinds.keys() - out.keys():
        key, preference = ranked[path]
        if (first := best[key][1]) != path:
            called = _OTHERS.get(preference // 10, "other images")
            out[path] = LeftOut(f"{called} of exposures taken already", f"the same exposure as {first}")
    return out


def told(out: dict[str, LeftOut]) -> str:
    """Return one line about what was left out: each kind with an example."""
    counts = Counter(one.kind for one in out.values())
    first: dict[str, str] = {}
    for path in sorted(out):
        first.setdefault(out[path].kind, path)
    kinds = ", ".join(
        f"{count} {kind} ({brief(first[kind])}{', ...' * (count > 1)})"
        for kind, count in counts.most_common()
    )
    return f"left out: {kinds}; `pattern` takes them"


def doubles(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Return images of one exposure that a list names: the better one of each two, and the other."""
    best: dict[str, tuple[int, str]] = {}
    found = []
    for path in paths:
        key, preference = exposure_of(path)
        here = preference, path
        if key in best:
            found.append((min(best[key], here)[1], max(best[key], here)[1]))
        best[key] = min(best.get(key, here), here)
    return found


def _kinds(paths: Iterable[str], *, is_whole: bool) -> dict[str, Kind]:
    apart = set(APART)
    kinds = {path: kind_of(path, apart) for path in paths}
    while True:
        counts = Counter[str](kinds.values())
        wrong = wrongly_apart(counts)
        are_alone = not any(counts[kind] for kind in ("micrograph", "movie", "preview", "stack"))
        if wrong is None or (are_alone and not is_whole and gains_are_credible(counts["gain"], 0)):
            return kinds
        apart.discard(wrong)
        kinds |= {path: kind_of(path, apart) for path, kind in kinds.items() if kind == wrong}
