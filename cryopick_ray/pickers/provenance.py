"""Provenance of a model: the data sets it learnt from, as data on its card and in lines for a person."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Optional

from pydantic import BaseModel, ConfigDict, Field

from cryopick_ray.errors import few

Count = Annotated[int, Field(ge=0)] | None
NAMES_SHOWN = 4


class LearntSet(BaseModel):
    """A data set that a model learnt from; what is not recorded is ``None``.

    Attributes
    ----------
    dataset
        Its name in the training.
    molecule
        The molecule's name, as ``cryopick simulate`` has it.
    simulated
        Whether its micrographs are simulated.
    micrographs, particles
        Numbers of those learnt from.
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
        Totals, where the numbers of each set are not recorded either.
    note
        A remark, in words.
    before
        Provenance of the model that training started from; ``None`` for fresh weights or if not recorded.
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
        """Return lines: one for each kind of data set, the totals, one for each earlier training."""
        earlier = list(self.trainings())[1:]
        return [*self._own_lines(), *(f"before that: {'; '.join(one._own_lines())}" for one in earlier)]

    def _own_lines(self) -> list[str]:
        lines = list(_kinds(self.sets)) if self.sets is not None else []
        if self.micrographs is not None and self.particles is not None:
            lines.append(f"{self.particles} particles in {self.micrographs} micrographs")
        lines += [self.note] if self.note else []
        return lines or ["not recorded"]


def as_provenance(value: Any) -> Any:
    """Return the field of a card; the sentence of an older card becomes a note."""
    return {"note": value} if isinstance(value, str) else value


def _kinds(sets: Sequence[LearntSet]) -> Iterator[str]:
    for title, is_simulated in (("real", False), ("simulated", True), ("not said whether real", None)):
        of_kind = [data_set for data_set in sets if data_set.simulated is is_simulated]
        if not of_kind:
            continue
        molecules = list(dict.fromkeys(data_set.molecule for data_set in of_kind if data_set.molecule))
        names = molecules if is_simulated and molecules else [data_set.dataset for data_set in of_kind]
        count = f"{len(of_kind)} data set{'s' * (len(of_kind) > 1)}"
        of = f" of {len(molecules)} molecules" if 1 < len(molecules) < len(of_kind) else ""
        yield f"{title}: {count}{of} ({few(names, NAMES_SHOWN)})"
