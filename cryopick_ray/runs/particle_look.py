"""A run's picks as images, small enough for a look: cut out, and sorted into classes."""

from pathlib import Path

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError
from cryopick_ray.particles.classes.classification_settings import ClassSettings
from cryopick_ray.particles.extract_settings import ExtractSettings
from cryopick_ray.particles.particle_star import Particles, read_particles
from cryopick_ray.particles.pixels import MicrographsInStore, of_run
from cryopick_ray.picks.table import open_table
from cryopick_ray.runs.classified import ClassOutcome, classify2d
from cryopick_ray.runs.extracted import extract_particles
from cryopick_ray.runs.run_folder import RunFolder

BOX_DIAMETERS, MASK_DIAMETERS = 1.5, 1.15
MOST_PX = 64
"""Side of the images: what a diameter of 40 pixels shows tells pickers apart, and more takes time."""
ITERATIONS = 15
PARTICLES, CLASSES = "particles", "classes"


def picks_as_images(
    run: str | Path, place: Path, diameter_A: float, engine: Engine, events: Events
) -> Particles:
    """Cut a run's picks out of its micrographs, below ``place``; what is there is not done again.

    Raises
    ------
    UsageError
        The run has no picks, or says no pixel size.
    """
    micrographs = open_table(run).micrographs
    if not any(micrograph.picks for micrograph in micrographs):
        raise UsageError(f"{run} has no picks to look at: choose another `threshold`")
    sizes_A = [micrograph.pixel_size_A for micrograph in micrographs if micrograph.pixel_size_A]
    if not sizes_A:
        raise UsageError(f"{run} says no pixel size of its micrographs; run again with `pixel_size_A`")
    box_A = BOX_DIAMETERS * diameter_A
    box_px = min(MOST_PX, 2 * int(box_A / max(*sizes_A, *_sizes_in_store_A(run)) / 2))
    wanted = ExtractSettings(picks=str(run), box=(f"{box_A:.2f}A",), scale_to=(box_px,))
    out = place / PARTICLES
    done = extract_particles(wanted, str(out), engine, events, resume=(out / "config.yaml").is_file())
    for note in done.notes:
        events.warn(note)
    return read_particles(Path(done.files[0].star))


def _sizes_in_store_A(run: str | Path) -> list[float]:
    """Return the pixel sizes of micrographs that only the run's store has; 0 stands for none."""
    folder = RunFolder(run)
    if not folder.config.is_file():
        return [0.0]
    averages = folder.averages(folder.relion_project(folder.settings()))
    held = (one.pixels for one in of_run(folder.store, averages).values())
    stored = [one.row for one in held if isinstance(one, MicrographsInStore)]
    return [0.0, *(row.pixel_size_A * row.source_width_px / row.width_px for row in stored)]


def sorted_into_classes(
    particles: Particles,
    place: Path,
    diameter_A: float,
    engine: Engine,
    events: Events,
    *,
    device: str,
    classes: int | None = None,
) -> ClassOutcome:
    """Classify particles below ``place``; one that was stopped is gone on with.

    Parameters
    ----------
    classes
        ``None`` for as many as their number makes sense.
    """
    settings = ClassSettings(
        particles=particles.path,
        classes=classes,
        diameter_A=MASK_DIAMETERS * diameter_A,
        iterations=ITERATIONS,
    )
    found = classify2d(settings, place / CLASSES, engine, events, device=device, resume=True)
    for note in found.notes:
        events.warn(note)
    return found
