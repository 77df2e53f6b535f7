"""Line styles of charts; ``report_lines.html`` has their CSS."""

COLOURS, DASHES = 5, 4
"""Without a common factor, so that twenty lines differ."""


def line_style(index: int) -> str:
    """Return the CSS classes of a line: neighbours differ in colour and in dashes."""
    return f"c{index % COLOURS} d{index % DASHES}"
