"""Settings -> the passes over a micrograph's candidates, in their order."""

from collections.abc import Callable, Iterable

from cryopick_ray.passes.edge import FromEdge
from cryopick_ray.passes.most import AtMost
from cryopick_ray.passes.sizes import InSize
from cryopick_ray.passes.spacing import Apart
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.settings.selection_settings import SelectionSettings

Pass = Callable[[MicrographPicks], MicrographPicks]
"""A pure function of a micrograph's picks: it keeps every candidate, and may give it a reason more."""


def passes_of(selection: SelectionSettings) -> list[Pass]:
    """Return the passes that ask for nothing but a micrograph's own candidates, in their order.

    What is near the edge or of a wrong size makes no other a duplicate; no duplicate is among the best.
    """
    found: list[Pass] = []
    if selection.edge_A is not None:
        found.append(FromEdge(selection.edge_A))
    if selection.smallest_A is not None or selection.largest_A is not None:
        found.append(InSize(selection.smallest_A, selection.largest_A))
    if selection.min_distance_A is not None:
        found.append(Apart(selection.min_distance_A))
    if selection.most_picks is not None:
        found.append(AtMost(selection.most_picks))
    return found


def made(picks: MicrographPicks, passes: Iterable[Pass]) -> MicrographPicks:
    """Return a micrograph's picks after some passes."""
    for pass_ in passes:
        picks = pass_(picks)
    return picks
