"""The evidence for an estimated diameter as a curve."""

import numpy as np
from markupsafe import Markup

from cryopick_ray.picks.estimated_diameter import EstimatedDiameter
from cryopick_ray.report.figures import LineChart, fitted_axis


def diameter_curve(found: EstimatedDiameter) -> Markup:
    """Draw what spoke for each diameter tried, with the one found and the next best; nothing if none was."""
    if not found.tried_A:
        return Markup("")
    tried_A, evidence = np.array(found.tried_A), np.array(found.evidence)
    marked_A = [found.diameter_A, *found.alternatives_A]
    order = np.argsort(tried_A)
    chart = LineChart(
        "Evidence by diameter",
        fitted_axis("particle diameter, A", np.append(tried_A, marked_A)),
        fitted_axis("evidence", evidence),
    )
    dots = [
        chart.dot("evidence", at_A, height, f"{at_A:.4g} A: {height:.3g}")
        for at_A, height in zip(tried_A.tolist(), evidence.tolist(), strict=True)
    ]
    line = chart.line("evidence", tried_A[order], evidence[order])
    others = [chart.upright("other", other_A) for other_A in found.alternatives_A]
    return chart.draw([*others, chart.upright("mark", found.diameter_A), line, *dots])
