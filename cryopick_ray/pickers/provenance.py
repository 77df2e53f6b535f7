"""What a model learnt from: on its card as data, in sentences where a person reads it."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Optional

from pydantic import BaseModel, ConfigDict, Field

from cryopick_ray.errors import few

Count = Annotated[int, Field(ge=0)] | None
NAMES_SHOWN = 4


class LearntSet(BaseModel):
    """One data set that a model learnt from; what nobody wrote down is ``None``.

    Attributes
    ----------
    dataset
        Its name in the training.
    molecule
        The molecule's name, as ``cryopick simulate`` has it.
    simulated
        Whether its micrographs are simulated.
    micrographs, particles
        How many of them were learnt from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    molecule: str | None = None
    simulated: bool | None = None
    micrographs: Count = None
    particles: Count = None


class Provenance(BaseModel):
    """All that a model learnt from.

    Attributes
    ----------
    sets
        The data sets; ``None`` if they are not recorded.
    micrographs, particles
        How many in all; known where those of each set are not.
    note
        What else is known, in words.
    before
        What the model it began with had learnt from; ``None`` for fresh weights or if it is not recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sets: tuple[LearntSet, ...] | None = None
    micrographs: Count = None
    particles: Count = None
    note: str = ""
    before: Optional["Provenance"] = None

    def trainings(self) -> Iterator["Provenance"]:
        """Yield this training, and those before it."""
        yield self
        if self.before is not None:
            yield from self.before.trainings()

    def lines(self) -> list[str]:
        """Return what is known, in lines: one of each kind of data set, then how much of it."""
        lines = list(_kinds(self.sets)) if self.sets is not None else []
        if self.micrographs is not None and self.particles is not None:
            lines.append(f"{self.particles} particles in {self.micrographs} micrographs")
        lines += [self.note] if self.note else []
        if self.before is not None:
            lines += [f"before that: {line}" for line in self.before.lines()]
        return lines or ["not recorded"]


def as_provenance(value: Any) -> Any:
    """Return what a card says, a sentence of an older one as a note."""
    return {"note": value} if isinstance(value, str) else value


def _kinds(sets: Sequence[LearntSet]) -> Iterator[str]:
    for title, is_simulated in (("real", False), ("simulated", True), ("not said whether real", None)):
        own = [one for one in sets if one.simulated is is_simulated]
        if not own:
            continue
        molecules = list(dict.fromkeys(one.molecule for one in own if one.molecule))
        names = molecules if is_simulated and molecules else [one.dataset for one in own]
        count = f"{len(own)} data set{'s' * (len(own) > 1)}"
        of = f" of {len(molecules)} molecules" if 1 < len(molecules) < len(own) else ""
        yield f"{title}: {count}{of} ({few(names, NAMES_SHOWN)})"
