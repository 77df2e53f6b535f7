"""The micrographs that a report pictures."""

from cryopick_ray.picks.judged_micrographs import worst_first
from cryopick_ray.picks.table import PickTable
from cryopick_ray.report.thumbnails import choose_thumbnails

SHOWN, WRONG_SHOWN = 12, 6
"""Micrographs pictured in the report, and the most of them that are not good."""


def pictured_micrographs(table: PickTable) -> list[str]:
    """Return the ids of the micrographs to picture: the worst ones first, then a sample of all."""
    wrong = [
        micrograph.micrograph_id
        for micrograph in worst_first(table.micrographs)
        if micrograph.verdict != "good"
    ]
    first = wrong[:WRONG_SHOWN]
    others = [
        micrograph
        for micrograph in table.micrographs
        if micrograph.status == "complete" and micrograph.micrograph_id not in first
    ]
    counts = [other.picks for other in others if other.picks is not None]
    if len(counts) < len(others):  # the index of earlier versions lacks counts
        pick_counts = {
            micrograph.micrograph.micrograph_id: int(micrograph.picked.sum()) for micrograph in table
        }
        counts = [pick_counts[other.micrograph_id] for other in others]
    return first + [others[index].micrograph_id for index in choose_thumbnails(counts, SHOWN - len(first))]
