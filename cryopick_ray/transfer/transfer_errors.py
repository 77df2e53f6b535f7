"""What can go wrong between this machine and an archive."""

from cryopick_ray.errors import CryoPickError


class RemoteError(CryoPickError):
    """An archive or a mirror cannot be asked, refuses, or answers with what is not believed."""


class MissingError(RemoteError):
    """There is no such file, folder or entry."""


class PassingError(RemoteError):
    """What asking again may mend: a busy server, a cut connection, a body that ends early.

    Attributes
    ----------
    retry_after_s
        How long the server asks to be left alone, in seconds; ``None`` if it does not say.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class UnreachedError(PassingError):
    """No connection comes about: the name is not known, or nobody listens there."""


class ExhaustedError(RemoteError):
    """Asking again and again brought nothing."""

    elsewhere = True


class ChangedError(RemoteError):
    """The remote file is no longer the one whose first part lies here."""


class HostileNameError(RemoteError):
    """A remote name that cannot be a file's name here."""


class NoRoomError(RemoteError):
    """Right now, what may lie on the disk at a time leaves no room for a file."""


class StoppedError(Exception):
    """The run was asked to end; what is here of a file stays."""
