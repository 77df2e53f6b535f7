"""Settings: frozen, typed, saved beside the output; unknown keys are refused."""

import re
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import UsageError
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
    threads
        CPU threads of one worker.
    """

    pixel_size_A: Positive | None = None
    diameter_A: Positive | None = None
    store_pixel_size_A: Positive | None = None
    threads: Annotated[int, Field(ge=1)] = 1


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
        Folders, files, globs or lists.
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
    relion_project: Path = Path()
    optics: Optics = Optics()
    engine: EngineSettings = EngineSettings()

    @property
    def pick(self) -> PickSettings:
        """The settings that decide the picks; the diameter must be known."""
        return PickSettings(**{name: getattr(self, name) for name in PickSettings.model_fields})

    def ingest(self, store_pixel_size_A: float) -> IngestSettings:
        """Return the settings of an ingest to ``store_pixel_size_A``, unless one is given."""
        shared = {name: getattr(self, name) for name in IngestSettings.model_fields}
        return IngestSettings(
            **shared | {"store_pixel_size_A": self.store_pixel_size_A or store_pixel_size_A}
        )


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


SettingsT = TypeVar("SettingsT", bound=Settings)


def load_settings(data: dict[str, Any]) -> RunSettings:
    """Check plain data of a run."""
    return _checked(RunSettings, data)


def fill(kind: type[SettingsT], **values: Any) -> SettingsT:
    """Return settings from the options a person gave; ``None`` stands for not given."""
    return _checked(kind, {name: value for name, value in values.items() if value is not None})


def _checked(kind: type[SettingsT], data: dict[str, Any]) -> SettingsT:
    """Check plain data, or raise :class:`UsageError` naming every wrong value."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        complaints = dict.fromkeys(_complaint(dict(e)) for e in error.errors())
        raise UsageError("; ".join(complaints)) from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file."""
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} is not a readable YAML file: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path} holds no settings (a mapping is expected)")
    return data


def assigned(data: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """Return plain data with ``NAME=VALUE`` texts put in, last one last.

    Dots lead into nested settings, numbers into lists (``data.0.labels_used=100``). Values are numbers,
    ``LO,HI`` for a range, or YAML.

    Raises
    ------
    UsageError
        A text without ``=``, a value that is no YAML, or a name below one that holds no others.
    """
    result = deepcopy(data)
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: expected NAME=VALUE")
        *path, leaf = name.split(".")
        group: Any = result
        for part in path:
            if isinstance(group, list) and part.isdigit() and int(part) < len(group):
                group = group[int(part)]
            elif isinstance(group, dict):
                group = group.setdefault(part, {})
            else:
                group = None
            if not isinstance(group, dict | list):
                raise UsageError(f"--set {text}: {part} holds no other settings")
        if not isinstance(group, dict):
            raise UsageError(f"--set {text}: {leaf} has no name in a list")
        try:
            group[leaf] = _value(value)
        except yaml.YAMLError as error:
            raise UsageError(f"--set {text}: expected a number, LO,HI or YAML ({error})") from error
    return result


def _value(text: str) -> Any:
    """Return a number, even where YAML takes it for a word (1e4); ``LO,HI``; or what YAML makes of it."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return yaml.safe_load(text)
    return numbers if len(numbers) > 1 else numbers[0]


def to_yaml(settings: Settings) -> str:
    """Return ``settings`` as YAML that :func:`read_yaml` and :func:`load_settings` take back."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)


def differences(old: RunSettings, new: RunSettings) -> list[str]:
    """Return what a resumed run would change of the picks, as ``name: old -> new`` lines.

    The engine may change, since picks stay what they are, the limit, since micrographs may join, and
    the threshold, since all candidates are kept and only the table is cut anew.
    """
    free = {"engine", "threshold", "optics", "limit"}
    before, after = (settings.model_dump(mode="json", exclude=free) for settings in (old, new))
    return [f"{key}: {before[key]} -> {after[key]}" for key in after if before[key] != after[key]]


def _complaint(error: dict[str, Any]) -> str:
    path = [str(part) for part in error["loc"] if str(part).isidentifier() and part != "float"]
    name = ".".join(path)
    if error["type"] == "missing":
        return f"{option(name)} is missing"
    if error["type"] == "extra_forbidden":
        return f"{name} is not a setting"
    return f"{option(name)} is {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"


def option(name: str) -> str:
    """Return what the command line calls a setting, given its dotted name."""
    leaf = name.rpartition(".")[2]
    return "INPUT" if leaf == "inputs" else "--" + leaf.removesuffix("_A").replace("_", "-").lower()
