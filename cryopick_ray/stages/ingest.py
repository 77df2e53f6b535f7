"""Files to store: all micrographs of a list that it does not hold yet."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.plan import cut, pending, unit_size
from cryopick_ray.engine.stage import run_stage
from cryopick_ray.errors import MicrographError, UsageError
from cryopick_ray.micrographs.exposure import average_name, read_exposure
from cryopick_ray.micrographs.movies.reader import open_movie
from cryopick_ray.micrographs.pixel_size import decide_pixel_size
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings import IngestSettings
from cryopick_ray.stages.averages import Averages
from cryopick_ray.stages.ingest_worker import IngestWorker, pixel_size_of
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.store import MicrographStore

FOLDERS_SEEN = 100
PROBED = 3
"""Micrographs read ahead of a run to find a missing pixel size before any work is done."""


def ingest(
    sources: Sequence[MicrographSource],
    store_url: str,
    settings: IngestSettings,
    engine: Engine,
    events: Events,
    *,
    averages: Averages | None = None,
    device: str = "auto",
) -> None:
    """Bring those micrographs into the store that it does not hold yet; failed ones are tried again.

    Parameters
    ----------
    averages
        Where averages of movies are kept; ``None`` to keep none.
    device
        Where movies are averaged.

    Raises
    ------
    UsageError
        As :func:`check_append` does, or two movies would have one average.
    """
    check_names(sources)
    store = MicrographStore(store_url, create=True)
    manifest = read_manifest(store.place)
    check_append(sources, manifest, settings)
    complete = store.held(manifest.values())
    units = cut(pending(sources, complete), unit_size(len(sources)))
    on_gpu = device != "cpu" and any(source.kind == "movie" for source in sources) and engine.has_gpus
    make_worker = partial(
        IngestWorker,
        store_url,
        settings,
        averages,
        folders=folders_of(sources),
        device=device if on_gpu else "cpu",
    )
    run_stage("ingest", units, make_worker, engine, events, on_gpu=on_gpu)


def check_names(sources: Sequence[MicrographSource]) -> None:
    """Refuse movies whose averages would have one name."""
    movies: dict[str, str] = {}
    for source in sources:
        if source.kind == "movie":
            other = movies.setdefault(average_name(source.micrograph_id), source.micrograph_id)
            if other != source.micrograph_id:
                raise UsageError(
                    f"{other} and {source.micrograph_id} would have one average; give them in two runs"
                )


def folders_of(sources: Sequence[MicrographSource]) -> tuple[Path, ...]:
    """Return the folders of the first micrographs that are there: a worker that misses one is no good."""
    folders = dict.fromkeys(source.path.parent for source in sources if not source.url)
    return tuple(folder for folder in islice(folders, FOLDERS_SEEN) if folder.is_dir())


def check_append(
    sources: Sequence[MicrographSource], manifest: Mapping[str, ManifestRow], settings: IngestSettings
) -> None:
    """Refuse micrographs that a store holds under another name or another pixel size.

    Raises
    ------
    UsageError
        If a name stands for another file, a file for another name, or ``pixel_size_A`` has changed.
    """
    names = {row.source: name for name, row in manifest.items()}
    for source in sources:
        known = manifest.get(source.micrograph_id)
        if known is not None and known.source != source.origin:
            raise UsageError(
                f"the store holds another {source.micrograph_id} ({known.source}, not {source.origin}); "
                "use another `store`, or give both folders in one run"
            )
        name = names.get(source.origin, source.micrograph_id)
        if name != source.micrograph_id:
            raise UsageError(
                f"the store holds {source.origin} as {name}, not as {source.micrograph_id}: names are "
                "relative to the root of `inputs`, which has changed; give the same `inputs` as before, "
                "or use another `store`"
            )
        given_A = settings.pixel_size_A
        as_given = settings.movies.binning == 1
        if (
            known is not None
            and known.status == "complete"
            and as_given
            and given_A not in (None, known.pixel_size_A)
        ):
            raise UsageError(
                f"the store holds {source.micrograph_id} at {known.pixel_size_A:g} A a pixel, and "
                f"`pixel_size_A` is {given_A:g}; use another `store`"
            )


def probe(sources: Sequence[MicrographSource], settings: IngestSettings) -> None:
    """Raise :class:`~cryopick_ray.errors.PixelSizeError` now if the first readable micrograph would."""
    for source in sources[:PROBED]:
        try:
            if source.kind == "movie" and not source.url:
                movie = open_movie(source.path)  # its header: an average is long to wait for
                decide_pixel_size(
                    header_A=movie.pixel_size_A,
                    given_A=settings.pixel_size_A or source.pixel_size_A,
                    shape=movie.shape,
                    diameter_A=settings.diameter_A,
                )
            else:
                pixel_size_of(source, read_exposure(source, settings), settings)
        except MicrographError:
            continue
        return
