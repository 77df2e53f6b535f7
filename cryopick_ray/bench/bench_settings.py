"""What is measured."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import UsageError
from cryopick_ray.settings.base import Positive, Settings, Shown
from cryopick_ray.settings.engine_settings import Device, Threads
from cryopick_ray.settings.run_settings import Dtype, Exact, IngestSettings, ParticlePx, PickSettings

Side = Annotated[int, Field(ge=64, le=16384)]
SIZE_PX = 4096
PIXEL_SIZE_A = 1.0
"""Of a synthetic micrograph, unless another is given."""


class BenchSettings(Settings):
    """What ``cryopick bench`` measures."""

    models: Annotated[tuple[str, ...], Shown(option="model", metavar="NAME|FILE")] = Field(
        default=(DEFAULT_MODEL,),
        description=f"Model or weights file; may be repeated; default: {DEFAULT_MODEL}.",
    )
    input: Annotated[Path | None, Shown(metavar="FILE")] = Field(
        default=None, description="A micrograph; default: a synthetic one."
    )
    size: Side | None = Field(default=None, description="Side of the synthetic one in pixels; default: 4096.")
    diameter_A: Positive = Field(default=130.0, description="Longest dimension of the particle in angstroms.")
    pixel_size_A: Positive | None = Field(
        default=None, description="In angstroms; default: the file's; of the synthetic one 1."
    )
    store_pixel_size_A: Positive | None = Field(
        default=None, description="Pixel size of the store; default: what the model needs."
    )
    particle_px: ParticlePx = None
    exact: Exact = False
    repeats: int = Field(default=5, ge=1, le=1000, description="Timed passes over the micrograph.")
    sizes: Annotated[tuple[Side, ...], Shown(metavar="N,N")] = Field(
        default=(), description="Measure synthetic micrographs of these sides, too."
    )
    batches: Annotated[tuple[Annotated[int, Field(ge=1, le=1024)], ...], Shown(metavar="N,N")] = Field(
        default=(), description="Give a network so many images at once, too."
    )
    threads: Threads = 1
    device: Device = "auto"
    dtype: Dtype = "auto"

    def check(self) -> None:
        """Refuse what cannot be measured together.

        Raises
        ------
        UsageError
            Naming the options.
        """
        if self.input is not None and (self.size is not None or self.sizes):
            raise UsageError("`size` and `sizes` are of synthetic micrographs: leave them out with `input`")
        for side in () if self.input is not None else (self.size_px, *self.sizes):
            if side < 2 * self.diameter_A / self.synthetic_pixel_size_A:
                raise UsageError(
                    f"a synthetic micrograph of {side} pixels a side has no room for particles of "
                    f"{self.diameter_A / self.synthetic_pixel_size_A:.0f} pixels; give a larger `size`, or "
                    "another `diameter_A` or `pixel_size_A`"
                )

    @property
    def size_px(self) -> int:
        """Side of the synthetic micrograph."""
        return SIZE_PX if self.size is None else self.size

    @property
    def synthetic_pixel_size_A(self) -> float:
        """Pixel size of a synthetic micrograph."""
        return self.pixel_size_A or PIXEL_SIZE_A

    def pick(self, model: str) -> PickSettings:
        """Return the settings that decide a model's picks."""
        shared = PickSettings.model_fields.keys() & BenchSettings.model_fields
        return PickSettings(model=model, **{name: getattr(self, name) for name in shared})

    def ingest(self, needed_pixel_size_A: float) -> IngestSettings:
        """Return the settings of an ingest for a model that needs so large pixels."""
        return IngestSettings(
            pixel_size_A=self.pixel_size_A,
            diameter_A=self.diameter_A,
            store_pixel_size_A=self.store_pixel_size_A or needed_pixel_size_A,
            threads=self.threads,
        )
