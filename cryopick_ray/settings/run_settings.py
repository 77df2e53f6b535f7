"""What people may set: frozen, typed, saved beside the output; unknown keys are refused.

A field is the one home of its setting: type, bounds, default and, as its description, the help.
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cryopick_ray import DEFAULT_MODEL, FILAMENT_MODEL
from cryopick_ray.project import project_of
from cryopick_ray.settings.base import Positive, Settings, Shown
from cryopick_ray.settings.cut_settings import Count, CutSettings, Lowest, Share, check_one
from cryopick_ray.settings.engine_settings import ENGINE, Threads
from cryopick_ray.settings.filament_settings import FilamentSettings, with_width
from cryopick_ray.settings.microscope_settings import MicroscopeSettings
from cryopick_ray.settings.selection_settings import SelectionSettings
from cryopick_ray.units import Voltage

MOVIES, RELION = "Movies", "RELION"
RARE = Shown(option="")
Model = Annotated[
    str, Field(description="Model name or weights file (.safetensors, .sav)."), Shown(metavar="NAME|FILE")
]
PixelSize = Annotated[
    Positive | None,
    Field(description="Pixel size in angstroms, of movies that of their frames; default: each file's own."),
]
ParticlePx = Annotated[
    Annotated[float, Field(ge=4, le=512)] | None,
    Field(description="Pixels a diameter becomes for the model; default: its own."),
    Shown(metavar="N"),
]
Invert = Annotated[
    Literal["auto", "yes", "no"],
    BeforeValidator(lambda value: {"true": "yes", "false": "no"}.get(str(value).lower(), value)),
    Field(description="Whether particles are brighter than the ice; auto: seen in each micrograph."),
    Shown(alone="yes"),
]
Exact = Annotated[
    bool,
    Field(description="Ask a network for every output of its paper's procedure, in float32: slower."),
]
Dtype = Annotated[
    Literal["auto", "float32", "bfloat16"],
    Field(
        description="Numbers of a network that is not asked `exact`; auto: as its earlier picks, else the "
        "fastest."
    ),
    Shown(panel=ENGINE),
]


class MovieSettings(Settings):
    """How frames are corrected, aligned and summed."""

    panel: ClassVar[str] = MOVIES
    gain: Annotated[Path | None, Shown(metavar="FILE")] = Field(
        default=None, description="Gain reference (MRC, TIFF, .gain)."
    )
    gain_rot: Annotated[Literal[0, 1, 2, 3], Shown(metavar="0-3")] = Field(
        default=0, description="Its quarter turns clockwise with row 0 on top, as RELION's gain_rot."
    )
    gain_flip: Annotated[Literal[0, 1, 2], Shown(metavar="0-2")] = Field(
        default=0, description="Then 1 upside down, 2 left to right, as RELION's gain_flip."
    )
    dose_per_frame_e_A2: Positive | None = Field(
        default=None,
        description="Electrons per square angstrom of one frame (of an EER movie: of one group), which "
        "weights frames by their dose; default: no dose weighting.",
    )
    binning: Annotated[float, Field(ge=1, le=16), Shown(metavar="X")] = Field(
        default=1.0,
        description="How many times fewer pixels a side averages have: 2 for super-resolution frames.",
    )
    defects: Annotated[Path | None, RARE] = Field(
        default=None,
        description="Text of rectangles (x y w h a line, x and y of the first pixel) or a map, not 0 on "
        "defects; in pixels of the frames as read.",
    )
    first_frame: Annotated[int, RARE] = Field(
        default=1, ge=1, description="First frame taken, counted from 1."
    )
    last_frame: Annotated[Annotated[int, Field(ge=1)] | None, RARE] = Field(
        default=None, description="Last frame taken, itself included; default: the movie's last."
    )
    eer_grouping: Annotated[int, Field(ge=1, le=65535), RARE] = Field(
        default=40,
        description="Detector frames of an EER movie that make one frame; what is left over is not used.",
    )
    eer_upsampling: Annotated[Literal[1, 2], RARE] = Field(
        default=1, description="1 for one pixel a detector pixel of an EER movie, 2 for four."
    )
    align: Annotated[bool, RARE] = Field(default=True, description="Whether to look for motion.")
    group_frames: Annotated[Annotated[int, Field(ge=1)] | None, RARE] = Field(
        default=None,
        description="Frames in a row that are aligned as one; default: as many as 1 e/A2 needs where the "
        "dose is known.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last_frame is not None and self.last_frame < self.first_frame:
            raise ValueError(
                f"last_frame {self.last_frame} is before first_frame {self.first_frame}; expected one after"
            )
        return self


class FrameSettings(MovieSettings):
    """How the frames of one movie become its average: of its own pixel size and voltage."""

    pixel_size_A: Positive | None = None
    voltage_kV: Voltage = 300.0


class IngestSettings(Settings):
    """What comes into a store."""

    diameter_A: Positive | None = Field(
        default=None,
        description="Longest dimension of the particle, to judge whether a pixel size makes sense.",
    )
    pixel_size_A: PixelSize = None
    store_pixel_size_A: Positive | None = Field(
        default=None, description="Pixel size of the store; default: the micrographs' own."
    )
    voltage_kV: Annotated[Voltage, Shown(panel=MOVIES)] = Field(
        default=300.0, description="For dose weighting, where the input does not say."
    )
    movies: MovieSettings = MovieSettings()
    threads: Threads = 1


class ArchiveSettings(Settings):
    """How files of an EMPIAR entry are fetched."""

    panel: ClassVar[str] = "EMPIAR"
    image_set: Annotated[str | None, Shown(metavar="N|NAME")] = Field(
        default=None, description="Number or name; default: micrographs before movies."
    )
    connections: int = Field(default=4, ge=1, le=16, description="Files at a time.")
    bandwidth_MB_s: Positive | None = Field(
        default=None, description="Megabytes a second at most; default: no limit."
    )
    disk_GB: Positive | None = Field(
        default=None,
        description="Fetched files at most at a time, deleted once ingested; default: micrographs are kept, "
        "movies deleted as their averages are.",
    )


class PickSettings(Settings):
    """What decides the picks."""

    diameter_A: Positive = Field(description="Longest dimension of the particle in angstroms.")
    model: Model = DEFAULT_MODEL
    particle_px: ParticlePx = None
    invert: Invert = "auto"
    exact: Exact = False
    threads: Threads = 1
    dtype: Dtype = "auto"
    spacing_A: Positive | None = Field(default=None, description="Between segments of filaments.")


class RunSettings(Settings):
    """Everything that ``cryopick run`` needs, but for where to run it; the same file runs again."""

    inputs: Annotated[tuple[str, ...], Shown(option="INPUT")] = Field(
        min_length=1,
        description="Folder, file, glob in quotes, list (text, STAR, .cs), s3:// gs:// https:// URL, or "
        "empiar:ID, alone.",
    )
    diameter_A: Positive | None = Field(
        default=None, description="Longest dimension of the particle in angstroms; default: estimated."
    )
    model: Model = DEFAULT_MODEL
    pixel_size_A: PixelSize = None
    threshold: Lowest = "auto"
    precision: Share = None
    expect: Count = None
    masks: Annotated[Path | None, Shown(metavar="DIR")] = Field(
        default=None, description="Masks named after the micrographs: only where they are 0 is picked."
    )
    keep_junk: bool = Field(default=False, description="Pick what lies on carbon, bad ice or other junk too.")
    particle_px: ParticlePx = None
    invert: Invert = "auto"
    exact: Exact = False
    pattern: Annotated[str | None, Shown(metavar="GLOB")] = Field(
        default=None, description="What a name, or a path below INPUT, must fit, such as '*_DW.mrc'."
    )
    exclude: Annotated[tuple[str, ...], Shown(metavar="GLOB")] = Field(
        default=(), description="Leave out what fits; may be repeated."
    )
    limit: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Take the first N micrographs."
    )
    store_pixel_size_A: Positive | None = Field(
        default=None, description="Pixel size of the store; default: what the model needs."
    )
    movies: MovieSettings = MovieSettings()
    archive: ArchiveSettings = ArchiveSettings()
    relion_project: Annotated[Path | None, Shown(metavar="DIR", panel=RELION)] = Field(
        default=None,
        description="Folder RELION runs in; default: that above INPUT, else the working folder.",
    )
    optics: Annotated[MicroscopeSettings, Shown(panel=RELION)] = MicroscopeSettings()
    threads: Threads = 1
    dtype: Dtype = "auto"
    pictures: bool = Field(
        default=True, description="Keep a small picture of each micrograph, for the page of cryopick view."
    )
    any_image: bool = Field(default=False, description="Pick what looks like no micrograph, too.")
    selection: SelectionSettings = SelectionSettings()
    filaments: FilamentSettings = FilamentSettings()

    @model_validator(mode="before")
    @classmethod
    def _of_filaments(cls, data: Any) -> Any:
        return with_width(data, FILAMENT_MODEL)

    @model_validator(mode="after")
    def _width_is_known(self) -> Self:
        if self.filaments.filament and self.diameter_A is None:
            raise ValueError("`filaments.width_A` is missing: a filament's width is not estimated; give it")
        return self

    @model_validator(mode="after")
    def _archive_is_asked(self) -> Self:
        given = self.archive.model_dump(exclude_defaults=True)
        if given and not any(text.startswith("empiar:") for text in self.inputs):
            names = ", ".join(f"`archive.{name}`" for name in given)
            raise ValueError(f"{names}: only of an EMPIAR entry, and `inputs` names none; leave it out")
        return self

    @model_validator(mode="after")
    def _one_cut(self) -> Self:
        check_one(self)
        return self

    @property
    def cut(self) -> CutSettings:
        """What chooses the cut through the scores."""
        return CutSettings(**{name: getattr(self, name) for name in CutSettings.model_fields})

    @property
    def spacing_A(self) -> float | None:
        """Between segments of filaments; ``None`` for the picker's own."""
        return None if self.diameter_A is None else self.filaments.distance_A(self.diameter_A)

    @property
    def pick(self) -> PickSettings:
        """The settings that decide the picks; the diameter must be known."""
        return PickSettings(**{name: getattr(self, name) for name in PickSettings.model_fields})

    @property
    def which(self) -> dict[str, Any]:
        """Which micrographs of the INPUTs, as ``list_sources`` takes it."""
        return {"relion_project": self.project, **self.model_dump(include={"limit", "pattern", "exclude"})}

    @property
    def project(self) -> Path:
        """The folder that RELION runs in."""
        return project_of(self.inputs, self.relion_project)

    def ingest(self, store_pixel_size_A: float | None) -> IngestSettings:
        """Return the settings of an ingest to ``store_pixel_size_A``, unless one is given."""
        size_A = self.store_pixel_size_A or store_pixel_size_A
        own: dict[str, Any] = {"store_pixel_size_A": size_A, "voltage_kV": self.optics.completed.voltage_kV}
        shared = IngestSettings.model_fields.keys() - own.keys()
        return IngestSettings(**{name: getattr(self, name) for name in shared}, **own)
