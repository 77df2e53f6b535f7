"""What a simulation is told; ranges are drawn anew for each micrograph."""

from itertools import product
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from cryopick_ray.settings.base import Settings, Shown
from cryopick_ray.settings.config import over, refused
from cryopick_ray.simulate.contamination import ContaminationSettings
from cryopick_ray.simulate.detector import DOSE_RANGE, Detector
from cryopick_ray.simulate.drawn_ranges import (
    CountRange,
    FractionRange,
    NonNegativeRange,
    PositiveRange,
    Range,
    between,
)
from cryopick_ray.simulate.noise import IceStructure
from cryopick_ray.simulate.optics import Defocus, Microscope
from cryopick_ray.simulate.processing import ProcessingSettings
from cryopick_ray.simulate.scene import SceneSettings
from cryopick_ray.simulate.stain import StainSettings
from cryopick_ray.units import Optics

SMALLEST_PX, LARGEST_PX = 64, 16_384


class SimulatedMicroscopeSettings(Settings):
    """The lens.

    Attributes
    ----------
    defocus_A
        Mean of the two principal defoci; positive is underfocus.
    astigmatism_A
        Their difference, in a random direction.
    b_factor_A2
        Envelope ``exp(-B k^2 / 4)``.
    drift_A
        Distance that the specimen moves during the exposure, in a random direction.
    """

    voltage_kV: PositiveRange = (300.0, 300.0)
    spherical_aberration_mm: NonNegativeRange = (2.7, 2.7)
    amplitude_contrast: FractionRange = (0.1, 0.1)
    defocus_A: Annotated[PositiveRange, Shown(metavar="A|LO,HI")] = Field(
        default=(10_000.0, 30_000.0), description="Underfocus in angstroms."
    )
    astigmatism_A: NonNegativeRange = (0.0, 500.0)
    b_factor_A2: NonNegativeRange = (80.0, 400.0)
    drift_A: NonNegativeRange = (0.0, 2.0)

    def extremes(self, pixel_size_A: float) -> list[Microscope]:
        """Return the microscopes at the ends of all ranges together."""
        return [
            Microscope(
                Optics(self.voltage_kV[i], self.spherical_aberration_mm[i], self.amplitude_contrast[i]),
                Defocus(self.defocus_A[j] + self.astigmatism_A[j] / 2, self.defocus_A[j]),
                pixel_size_A,
                b_factor_A2=self.b_factor_A2[i],
                drift_A=(self.drift_A[j], 0.0),
            )
            for i in (0, 1)
            for j in (0, 1)
        ]

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        self.extremes(pixel_size_A=1.0)
        return self


class IceSettings(Settings):
    """What the particles lie in.

    Attributes
    ----------
    thickness_A, thickness_variation
        Mean of the ice's thickness over the micrograph, and its relative standard deviation.
    mean_free_path_A
        Thickness that lets 1/e of the electrons through.
    noise_rad2_A2, noise_knee_A, noise_slope
        Structural noise, see :class:`~cryopick_ray.simulate.noise.IceStructure`.
    """

    thickness_A: PositiveRange = (300.0, 800.0)
    thickness_variation: FractionRange = (0.0, 0.15)
    mean_free_path_A: PositiveRange = (3_000.0, 4_000.0)
    noise_rad2_A2: NonNegativeRange = (0.001, 0.004)
    noise_knee_A: PositiveRange = (150.0, 200.0)
    noise_slope: NonNegativeRange = (2.0, 3.0)

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        for ends in zip(self.noise_rad2_A2, self.noise_knee_A, self.noise_slope, strict=True):
            IceStructure(*ends)
        return self


class ExposureSettings(Settings):
    """What the camera sees.

    Attributes
    ----------
    dose_e_per_A2
        Electrons on the specimen over the whole exposure; a single frame has 0.5 to 2.
    contrast
        Phase contrast of the particles relative to elastic scattering by undamaged molecules; 0.74 to
        0.8 matches the apoferritin of EMPIAR-10146.
    contrast_spread
        Relative standard deviation of the contrast from particle to particle: depth, damage, tilt.
    dqe_zero, dqe_nyquist, mtf_nyquist
        The camera, see :class:`~cryopick_ray.simulate.detector.Detector`.
    streaks_px
        Lines of each border that only repeat the line inside, as correction of drift leaves them; no
        particle there counts.
    """

    dose_e_per_A2: Annotated[Range, between(*DOSE_RANGE), Shown(option="dose", metavar="X|LO,HI")] = Field(
        default=(40.0, 80.0), description="Electrons per square angstrom."
    )
    contrast: PositiveRange = (0.6, 0.85)
    contrast_spread: FractionRange = (0.1, 0.3)
    dqe_zero: FractionRange = (0.5, 0.9)
    dqe_nyquist: FractionRange = (0.45, 0.45)
    mtf_nyquist: FractionRange = (0.7, 0.7)
    streaks_px: CountRange = (0, 0)

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        for ends in product(self.dqe_zero, self.dqe_nyquist, self.mtf_nyquist):
            Detector(*ends)
        return self


class SimulationSettings(Settings):
    """Everything ``cryopick simulate`` needs.

    Attributes
    ----------
    molecules
        Names of built-in molecules, or files; a micrograph holds all of them, mixed.
    micrographs, seed
        How many, and where the random numbers start: the same seed gives the same micrographs.
    height_px, width_px, pixel_size_A
        Their size.
    preferred_spread_deg
        Spread of the views about one axis of each molecule; 0 for all views alike.
    variety
        How much each micrograph's molecules differ from those of the library in shape, 0 to 1; see
        :func:`~cryopick_ray.simulate.variety.varied`.
    """

    molecules: tuple[str, ...] = Field(min_length=1)
    micrographs: int = Field(default=10, ge=1, le=10_000_000, description="How many.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Equal seeds give equal files.")
    height_px: Annotated[int, Field(ge=SMALLEST_PX, le=LARGEST_PX)] = 4096
    width_px: Annotated[int, Field(ge=SMALLEST_PX, le=LARGEST_PX)] = 4096
    pixel_size_A: float = Field(default=1.5, ge=0.1, le=100, description="Pixel size in angstroms.")
    preferred_spread_deg: Annotated[NonNegativeRange, between(0, 90)] = (0.0, 0.0)
    variety: FractionRange = (0.0, 0.0)
    scene: SceneSettings = SceneSettings()
    contamination: ContaminationSettings = ContaminationSettings()
    microscope: SimulatedMicroscopeSettings = SimulatedMicroscopeSettings()
    ice: IceSettings = IceSettings()
    exposure: ExposureSettings = ExposureSettings()
    stain: StainSettings = StainSettings()
    processing: ProcessingSettings = ProcessingSettings()


def simulation_settings(data: dict[str, Any]) -> SimulationSettings:
    """Check plain data, or raise :class:`UsageError` naming every wrong value with what is allowed."""
    try:
        return SimulationSettings.model_validate(over(_DEFAULTS, data))
    except ValidationError as error:
        raise refused(error, SimulationSettings, "simulation") from error


_DEFAULTS = SimulationSettings(molecules=("any",)).model_dump(exclude={"molecules"})
