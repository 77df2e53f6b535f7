"""Settings in a page's messages, spelled as command-line options."""

from cryopick_ray.errors import spelled
from cryopick_ray.settings.leaf_settings import default_option


def as_options(text: str) -> str:
    """Return a message with its settings as options."""
    return spelled(text, default_option)
