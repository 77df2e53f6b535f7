"""A run's picks as small particle images, extracted and classified in 2-D."""

from pathlib import Path

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError
from cryopick_ray.particles.classes.classification_settings import ClassSettings
from cryopick_ray.particles.extract_settings import ExtractSettings
from cryopick_ray.particles.particle_star import Particles, read_particles
from cryopick_ray.particles.pixels import MicrographInStore, of_run
from cryopick_ray.picks.table import open_table
from cryopick_ray.runs.particles.classify_run import ClassificationResult, classify2d
from cryopick_ray.runs.particles.extract_run import extract_particles
from cryopick_ray.runs.run_folder import RunFolder

BOX_DIAMETERS, MASK_DIAMETERS = 1.5, 1.15
MOST_PX = 64
"""Largest side of the images: a diameter of 40 pixels is enough to judge pickers by, more takes time."""
ITERATIONS = 15
PARTICLES, CLASSES = "particles", "classes"


def extract_picks(
    run: str | Path, folder: Path, diameter_A: float, engine: Engine, events: Events
) -> Particles:
    """Extract a run's picks below ``folder``; a finished part is not repeated.

    Raises
    ------
    UsageError
        The run has no picks, or no pixel size is known.
    """
    micrographs = open_table(run).micrographs
    if not any(micrograph.picks for micrograph in micrographs):
        raise UsageError(f"{run} has no picks to look at: choose another `threshold`")
    sizes_A = [micrograph.pixel_size_A for micrograph in micrographs if micrograph.pixel_size_A]
    if not sizes_A:
        raise UsageError(f"{run} says no pixel size of its micrographs; run again with `pixel_size_A`")
    box_A = BOX_DIAMETERS * diameter_A
    box_px = min(MOST_PX, 2 * int(box_A / max(*sizes_A, *_sizes_in_store_A(run)) / 2))
    extraction = ExtractSettings(picks=str(run), box=(f"{box_A:.2f}A",), scale_to=(box_px,))
    out = folder / PARTICLES
    extracted = extract_particles(
        extraction, str(out), engine, events, resume=(out / "config.yaml").is_file()
    )
    for note in extracted.notes:
        events.warn(note)
    return read_particles(Path(extracted.files[0].star))


def _sizes_in_store_A(run: str | Path) -> list[float]:
    """Return the pixel sizes of micrographs that exist only in the run's store; 0 stands for none."""
    folder = RunFolder(run)
    if not folder.config.is_file():
        return [0.0]
    averages = folder.averages(folder.relion_project(folder.settings()))
    origins = (pixels.pixels for pixels in of_run(folder.store, averages).values())
    stored = [pixels.row for pixels in origins if isinstance(pixels, MicrographInStore)]
    return [0.0, *(row.pixel_size_A * row.source_width_px / row.width_px for row in stored)]


def classify_picks(
    particles: Particles,
    folder: Path,
    diameter_A: float,
    engine: Engine,
    events: Events,
    *,
    device: str,
    classes: int | None = None,
) -> ClassificationResult:
    """Classify particles below ``folder``; an interrupted classification is continued.

    Parameters
    ----------
    classes
        Number of classes; ``None``: chosen by the number of particles.
    """
    settings = ClassSettings(
        particles=particles.path,
        classes=classes,
        diameter_A=MASK_DIAMETERS * diameter_A,
        iterations=ITERATIONS,
    )
    result = classify2d(settings, folder / CLASSES, engine, events, device=device, resume=True)
    for note in result.notes:
        events.warn(note)
    return result
