"""What a page calls settings: as the options of the command that serves it."""

from cryopick_ray.errors import spelled
from cryopick_ray.settings.leaves import option


def as_options(text: str) -> str:
    """Return a message with its settings as options."""
    return spelled(text, option)
