"""The picker that settings ask for."""

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.filament.picker import FilamentPicker
from cryopick_ray.pickers.picker import Picker
from cryopick_ray.settings.run_settings import PickSettings, RunSettings
from cryopick_ray.units import working_pixel_size_A


def asked_picker(settings: PickSettings | RunSettings, *, device: str) -> Picker:
    """Return the picker, its network on a device; one of filaments with segments as far apart as asked.

    Raises
    ------
    UsageError, ModelError
        If there is no such model, or filaments are asked of one that picks particles.
    """
    picker = load_picker(
        settings.model,
        particle_px=settings.particle_px,
        device=device,
        exact=settings.exact,
        precision=settings.dtype,
    )
    if isinstance(picker, FilamentPicker):
        if settings.spacing_A is None or settings.diameter_A is None:
            return picker
        return picker.spaced(
            settings.spacing_A / working_pixel_size_A(settings.diameter_A, picker.particle_px)
        )
    if settings.spacing_A is not None or (isinstance(settings, RunSettings) and settings.filaments.filament):
        raise UsageError(f"`model` {settings.model} picks particles; leave it out to trace filaments")
    return picker
