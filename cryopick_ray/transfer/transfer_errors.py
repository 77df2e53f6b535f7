"""Errors of transfers from an archive or a mirror."""

from cryopick_ray.errors import CryoPickError


class RemoteError(CryoPickError):
    """An archive or a mirror cannot be reached, refuses, or sends an invalid response."""


class MissingError(RemoteError):
    """There is no such file, folder or entry."""


class TransientError(RemoteError):
    """An error that a retry may mend: a busy server, a cut connection, a body that ends early.

    Attributes
    ----------
    retry_after_s
        Pause that the server asks for, in seconds; ``None`` if it states none.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class NoConnectionError(TransientError):
    """No connection: the host name does not resolve, or nothing listens there."""


class ExhaustedError(RemoteError):
    """All retries failed."""

    elsewhere = True


class ChangedError(RemoteError):
    """The remote file has changed since its first part was fetched."""


class HostileNameError(RemoteError):
    """A remote name that would be unsafe as a local file name."""


class NoRoomError(RemoteError):
    """The disk budget has no space for a file at the moment."""


class StoppedError(Exception):
    """The run was stopped; partial files stay."""
