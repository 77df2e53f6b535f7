"""Agreement of pickers -> a part of a page: who shares how much with whom, and groups by who has them."""

from markupsafe import Markup

from cryopick_ray.passes.agreed_reliability import AgreedReliability
from cryopick_ray.passes.agreement import PickerAgreement
from cryopick_ray.report.report import page_maker

MOST_ROWS = 24
"""Kinds of groups that are shown, the most frequent ones."""


def render_agreement(agreement: PickerAgreement, reliability: AgreedReliability | None = None) -> Markup:
    """Return the agreement as HTML for a page that has the report's style sheet; names are escaped.

    Parameters
    ----------
    agreement
        Of a whole data set.
    reliability
        Of the same pickers: what it tells, and its doubts, stand beside.
    """
    together = agreement.together
    hidden = together[MOST_ROWS:]
    return Markup(
        page_maker("report")
        .get_template("agreement.html")
        .render(
            agreement=agreement,
            pairs={(pair.picker, pair.other): pair for pair in agreement.pairs},
            told=_told(reliability) if reliability is not None else {},
            doubts=reliability.doubts if reliability is not None else (),
            shown=together[:MOST_ROWS],
            most=max((one.count for one in together), default=1),
            hidden=sum(one.count for one in hidden),
            n_hidden=len(hidden),
        )
    )


def _told(reliability: AgreedReliability) -> dict[str, tuple[float | None, float | None]]:
    """Return precision and recall of each picker by its name; nothing where agreement tells none."""
    if (recall := reliability.recall) is None:
        return {}
    rows = zip(
        reliability.names, reliability.active, reliability.precision.tolist(), recall.tolist(), strict=True
    )
    return {name: (precision, found) if active else (None, None) for name, active, precision, found in rows}
