"""Where the work is run."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from cryopick_ray.settings.base import Settings, Shown
from cryopick_ray.settings.ranges import worker_range

ENGINE = "Engine"
Threads = Annotated[
    int,
    Field(ge=1, description="CPU threads of a worker; they may change the last bits of the picks."),
    Shown(panel=ENGINE),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda"],
    Field(description="Where networks run; auto takes a GPU where there is one."),
    Shown(panel=ENGINE),
]


class EngineSettings(Settings):
    """Where the work is run; the number of workers changes nothing of what comes out, a GPU the last bits.

    No file of a run holds them: where to run is said anew each time.
    """

    panel: ClassVar[str] = ENGINE
    environment: ClassVar[str] = "CRYOPICK_"
    engine: Literal["ray", "serial"] = Field(
        default="ray", description="Who runs the work: Ray's workers, or this process alone."
    )
    workers: Annotated[tuple[int, int] | None, Shown(metavar="N|LO,HI")] = Field(
        default=None,
        description="Ray actors, or at least and at most; default: one per CPU or GPU, as they come and go.",
    )
    device: Device = "auto"
    gpus_per_worker: Annotated[float, Field(gt=0, le=1), Shown(metavar="X")] = Field(
        default=1.0, description="GPUs of a worker; 0.5 puts two on one."
    )
    address: Annotated[str | None, Shown(metavar="A")] = Field(
        default=None, description="Ray cluster to join; default: this machine alone."
    )

    @field_validator("workers", mode="before")
    @classmethod
    def _range(cls, value: Any) -> Any:
        return value if value is None else worker_range(value)
