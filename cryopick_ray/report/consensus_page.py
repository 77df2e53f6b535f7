"""What a vote came to -> a page."""

from collections.abc import Sequence

from cryopick_ray import __version__
from cryopick_ray.passes.agreement import PickerAgreement
from cryopick_ray.passes.votes import Vote, Voted
from cryopick_ray.report.agreement_part import render_agreement
from cryopick_ray.report.report import page_maker


def render_consensus(how: Vote, voted: Voted, agreement: PickerAgreement, notes: Sequence[str]) -> str:
    """Return the page as HTML; all names are escaped.

    Parameters
    ----------
    notes
        What a person should know of the inputs.
    """
    enough = (
        "A group is picked if it is more likely a particle than not"
        if how.votes == "weighted"
        else f"A group is picked if {how.votes} pickers have it"
    )
    return (
        page_maker("report")
        .get_template("consensus.html")
        .render(
            how=f"{enough}; its places are at most {how.radius_diameters:g} diameters apart",
            version=__version__,
            told=voted.reliability,
            picks=voted.picks,
            groups=voted.groups,
            micrographs=voted.micrographs,
            agreement=render_agreement(agreement, voted.reliability),
            notes=notes,
        )
    )
