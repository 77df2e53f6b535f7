"""The microscope that an exposure was taken with: by its list, its sidecar, or the settings."""

import json
from dataclasses import replace

from cryopick_ray.micrographs.exposure import Exposure
from cryopick_ray.micrographs.optics_groups import ABERRATION, CONTRAST, VOLTAGE, number, positive
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.units import Optics


def with_sidecar_voltage(source: MicrographSource, exposure: Exposure) -> MicrographSource:
    """Return a micrograph whose optics group has the voltage that only its sidecar states."""
    if (voltage_kV := exposure.sidecar.voltage_kV) is None:
        return source
    return replace(source, optics_group=json.dumps({VOLTAGE: f"{voltage_kV:.6f}"}))


def exposure_optics(source: MicrographSource, exposure: Exposure, default: Optics) -> Optics:
    """Return the microscope as the list states it, else the sidecar, else ``default``, value by value."""
    if source.optics is not None:
        return source.optics
    listed = json.loads(source.optics_group) if source.optics_group else {}
    aberration_mm, contrast = number(listed.get(ABERRATION)), number(listed.get(CONTRAST))
    return Optics(
        positive(listed.get(VOLTAGE)) or exposure.sidecar.voltage_kV or default.voltage_kV,
        default.spherical_aberration_mm if aberration_mm is None else aberration_mm,
        contrast if contrast is not None and contrast <= 1 else default.amplitude_contrast,
    )
