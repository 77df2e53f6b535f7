"""What is measured."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import UsageError
from cryopick_ray.settings import IngestSettings, PickSettings, Positive, Settings

Side = Annotated[int, Field(ge=64, le=16384)]
SIZE_PX = 4096
PIXEL_SIZE_A = 1.0
"""Of a synthetic micrograph, unless another is given."""


class BenchSettings(Settings):
    """What ``cryopick bench`` measures.

    Attributes
    ----------
    models
        Models' names or weights files.
    diameter_A
        The particle's longest dimension in angstroms.
    input
        A micrograph; ``None`` for a synthetic one.
    size
        Side of the synthetic one in pixels; ``None`` for 4096.
    pixel_size_A, store_pixel_size_A
        Of the micrograph and the store; ``None`` for the file's own, and for what the model needs.
    repeats
        Timed passes over the micrograph.
    sizes
        Sides of synthetic micrographs to measure one after the other.
    batches
        Numbers of images to give a network's picker at once.

    The others are those of :class:`cryopick_ray.config.PickSettings`.
    """

    models: tuple[str, ...] = (DEFAULT_MODEL,)
    diameter_A: Positive = 130.0
    input: Path | None = None
    size: Side | None = None
    pixel_size_A: Positive | None = None
    store_pixel_size_A: Positive | None = None
    particle_px: Annotated[float, Field(ge=4, le=512)] | None = None
    exact: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=1)] = 1
    repeats: Annotated[int, Field(ge=1, le=1000)] = 5
    sizes: tuple[Side, ...] = ()
    batches: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = ()

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
