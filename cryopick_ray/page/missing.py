"""Why something that a page asks for cannot be had."""


class NotReadyError(Exception):
    """It is still being made."""


class UnknownError(Exception):
    """It is not there."""
