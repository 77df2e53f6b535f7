"""Which micrographs a report pictures."""

from cryopick_ray.picks.judged_micrographs import worst_first
from cryopick_ray.picks.table import PickTable
from cryopick_ray.report.thumbnails import choose_thumbnails

SHOWN, WRONG_SHOWN = 12, 6
"""Micrographs pictured in the report, and how many of them because something is wrong."""


def pictured(table: PickTable) -> list[str]:
    """Return the ids of the micrographs that the report pictures: some of what is wrong, then of all."""
    wrong = [one.micrograph_id for one in worst_first(table.micrographs) if one.verdict != "good"]
    first = wrong[:WRONG_SHOWN]
    others = [
        micrograph
        for micrograph in table.micrographs
        if micrograph.status == "complete" and micrograph.micrograph_id not in first
    ]
    counts = [other.picks for other in others if other.picks is not None]
    if len(counts) < len(others):  # of an earlier version, whose index does not say it
        found = {one.micrograph.micrograph_id: int(one.picked.sum()) for one in table}
        counts = [found[other.micrograph_id] for other in others]
    return first + [others[index].micrograph_id for index in choose_thumbnails(counts, SHOWN - len(first))]
