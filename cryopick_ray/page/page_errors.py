"""Errors of requests that cannot be answered."""


class NotReadyError(Exception):
    """The answer is still being computed."""


class UnknownError(Exception):
    """There is no such thing."""
