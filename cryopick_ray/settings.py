"""What people may set: frozen, typed, saved beside the output; unknown keys are refused."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.units import Optics

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """Base of all settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EngineSettings(Settings):
    """How the work is run; the number of workers changes nothing of what comes out, a GPU the last bits.

    Attributes
    ----------
    engine
        ``ray``, or ``serial`` in this process.
    workers
        Ray actors: so many, or at least and at most; ``None`` for as many as there is room for.
    device
        ``auto`` takes GPUs where there are any.
    gpus_per_worker
        GPUs of one actor; a fraction shares a GPU.
    address
        A Ray cluster to join.
    """

    engine: Literal["ray", "serial"] = "ray"
    workers: tuple[int, int] | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    gpus_per_worker: Annotated[float, Field(gt=0, le=1)] = 1.0
    address: str | None = None

    @field_validator("workers", mode="before")
    @classmethod
    def _range(cls, value: Any) -> Any:
        return value if value is None else worker_range(value)


class MovieSettings(Settings):
    """How frames are corrected, aligned and summed.

    Attributes
    ----------
    first_frame, last_frame
        Frames taken, counted from 1, both included; ``None`` for the movie's last.
    pixel_size_A
        Of the frames as read, so of a super-resolution pixel where they have those; ``None`` to take
        the file's own.
    dose_per_frame_e_A2
        Electrons per square angstrom of one frame (of an EER movie: of ``eer_grouping`` detector frames).
        ``None`` to leave dose weighting out.
    voltage_kV
        Acceleration voltage; radiation damage depends on it.
    gain
        Gain reference, MRC, TIFF or ``.gain``.
    gain_rot, gain_flip
        RELION's and MotionCor2's: quarter turns clockwise with row 0 on top, then 1 for upside down or
        2 for left to right.
    defects
        Text of rectangles (``x y w h`` a line, x and y of the first pixel) or a map, not 0 on defects;
        in pixels of the frames as read.
    binning
        How many times fewer pixels a side the average has; 2 for super-resolution frames.
    eer_grouping
        Detector frames of an EER movie that make one frame; what is left over is not used.
    eer_upsampling
        1 for one pixel a detector pixel, 2 for four.
    align
        Whether to look for motion.
    group_frames
        Frames in a row that are aligned as one; ``None`` for as many as 1 e/A2 needs where the dose is known.
    """

    first_frame: Annotated[int, Field(ge=1)] = 1
    last_frame: Annotated[int, Field(ge=1)] | None = None
    pixel_size_A: Positive | None = None
    dose_per_frame_e_A2: Positive | None = None
    voltage_kV: Annotated[float, Field(ge=60, le=400)] = 300.0
    gain: Path | None = None
    gain_rot: Literal[0, 1, 2, 3] = 0
    gain_flip: Literal[0, 1, 2] = 0
    defects: Path | None = None
    binning: Annotated[float, Field(ge=1, le=16)] = 1.0
    eer_grouping: Annotated[int, Field(ge=1, le=65535)] = 40
    eer_upsampling: Literal[1, 2] = 1
    align: bool = True
    group_frames: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last_frame is not None and self.last_frame < self.first_frame:
            raise ValueError(
                f"last_frame {self.last_frame} is before first_frame {self.first_frame}; expected one after"
            )
        return self


class IngestSettings(Settings):
    """What comes into a store.

    Attributes
    ----------
    pixel_size_A
        Pixel size of all micrographs; ``None`` to take each file's own.
    diameter_A
        The particle's diameter, to judge whether a pixel size makes sense; ``None`` if unknown.
    store_pixel_size_A
        Pixel size of the store; ``None`` to keep the micrographs' own.
    movies
        How movies become averages; their pixel size is ``pixel_size_A``.
    threads
        CPU threads of one worker.
    """

    pixel_size_A: Positive | None = None
    diameter_A: Positive | None = None
    store_pixel_size_A: Positive | None = None
    movies: MovieSettings = MovieSettings()
    threads: Annotated[int, Field(ge=1)] = 1


class ArchiveSettings(Settings):
    """How files of an EMPIAR entry are fetched.

    Attributes
    ----------
    image_set
        Number or name; ``None`` for micrographs before movies.
    pattern
        What names must fit, such as ``*_DW.mrc``.
    connections
        Files at a time.
    bandwidth_MB_s
        Megabytes a second at most; ``None`` for no limit.
    disk_GB
        Gigabytes of fetched files at most at a time: they are deleted once they are ingested. ``None`` to
        keep micrographs; movies are deleted in any case, as their averages are kept.
    """

    image_set: str | None = None
    pattern: str | None = None
    connections: Annotated[int, Field(ge=1, le=16)] = 4
    bandwidth_MB_s: Positive | None = None
    disk_GB: Positive | None = None


class PickSettings(Settings):
    """What decides the picks.

    Attributes
    ----------
    model
        A model's name or its weights file.
    diameter_A
        The particle's longest dimension in angstroms.
    particle_px
        How many pixels the diameter becomes for the network; ``None`` for the model's own.
    invert
        The particles are brighter than the ice.
    threads
        CPU threads of one worker; part of the picks' digest, since it may change the last bits.
    exact
        Ask a network for every output of its paper's procedure, in float32; else fast, nearly the same.
    precision
        Of a network that is asked fast; ``auto`` is settled once for all workers and kept with the picks.
    """

    model: str = DEFAULT_MODEL
    diameter_A: Positive
    particle_px: Annotated[float, Field(ge=4, le=512)] | None = None
    invert: bool = False
    threads: Annotated[int, Field(ge=1)] = 1
    exact: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class RunSettings(Settings):
    """Everything ``cryopick run`` needs; the same file runs again.

    Attributes
    ----------
    inputs
        Folders, files, globs, lists or URLs; or one entry of EMPIAR.
    diameter_A
        The particle's longest dimension in angstroms; ``None`` to estimate it from the micrographs.
    limit
        Micrographs to take at most.
    threshold
        ``auto``, or the score from which a candidate is picked.
    relion_project
        Folder that micrograph names in STAR files are relative to.
    optics
        For RELION, where the input STAR does not say.
    archive
        How files of an EMPIAR entry are fetched.

    The others are those of :class:`IngestSettings` and :class:`PickSettings`.
    """

    inputs: tuple[str, ...] = Field(min_length=1)
    diameter_A: Positive | None = None
    model: str = DEFAULT_MODEL
    pixel_size_A: Positive | None = None
    store_pixel_size_A: Positive | None = None
    particle_px: Annotated[float, Field(ge=4, le=512)] | None = None
    invert: bool = False
    threshold: Literal["auto"] | Annotated[float, Field(allow_inf_nan=False)] = "auto"
    limit: Annotated[int, Field(ge=1)] | None = None
    threads: Annotated[int, Field(ge=1)] = 1
    exact: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    movies: MovieSettings = MovieSettings()
    archive: ArchiveSettings = ArchiveSettings()
    relion_project: Path = Path()
    optics: Optics = Optics()
    engine: EngineSettings = EngineSettings()

    @property
    def pick(self) -> PickSettings:
        """The settings that decide the picks; the diameter must be known."""
        return PickSettings(**{name: getattr(self, name) for name in PickSettings.model_fields})

    def ingest(self, store_pixel_size_A: float | None) -> IngestSettings:
        """Return the settings of an ingest to ``store_pixel_size_A``, unless one is given."""
        shared = {name: getattr(self, name) for name in IngestSettings.model_fields}
        own = {
            "store_pixel_size_A": self.store_pixel_size_A or store_pixel_size_A,
            "movies": self.movies.model_copy(update={"voltage_kV": self.optics.voltage_kV}),
        }
        return IngestSettings(**shared | own)


def worker_range(value: Any) -> tuple[int, int]:
    """Return the least and most workers that ``4``, ``"4"``, ``"2,8"`` or ``[2, 8]`` stands for.

    Raises
    ------
    ValueError
        If it stands for none.
    """
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    ends = re.fullmatch(r"([0-9]{1,6})(?:,([0-9]{1,6}))?", text)
    least, most = (int(ends[1]), int(ends[2] or ends[1])) if ends else (0, 0)
    if not 1 <= least <= most:
        raise ValueError("expected a number or LO,HI, such as 4 or 2,8")
    return least, most
