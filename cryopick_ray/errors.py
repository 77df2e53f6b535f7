"""What can go wrong, and with which exit status the command line answers."""

from typing import ClassVar


class CryoPickError(Exception):
    """Base of all errors meant for a person: the message names the value and the mend."""

    exit_code: ClassVar[int] = 1
    elsewhere: ClassVar[bool] = False
    """Whether the machine is at fault, not the work: another one may do it."""


class UsageError(CryoPickError, ValueError):
    """A setting or argument is wrong; nothing was started."""

    exit_code = 2


class PixelSizeError(UsageError):
    """The pixel size is missing, implausible or too coarse; the message names the option to give."""


class MicrographError(CryoPickError, ValueError):
    """One micrograph cannot be read or used: a row in the table of failures, never the end of a run."""


class StackError(MicrographError):
    """A file holds several images: a movie, or no micrograph."""


class StoreError(CryoPickError):
    """The store or its manifest is missing, incomplete or damaged."""


class UnreachableError(StoreError):
    """A bucket does not answer this machine, however often it is asked: nothing is known of what it holds."""

    elsewhere = True


class DamagedError(StoreError):
    """What the store holds of one micrograph is missing, of another size or damaged; ingest it again."""


class ModelError(CryoPickError, ValueError):
    """A weights file cannot be used: unknown architecture, wrong shapes, code inside."""


class PicksError(CryoPickError):
    """Pick shards or a table are missing, damaged or contradict each other."""


class EngineError(CryoPickError):
    """The engine could not run the units it was given."""


class NodeError(EngineError):
    """A node lacks what a worker needs there."""

    elsewhere = True


class DeviceError(EngineError):
    """A worker's GPU fails."""

    elsewhere = True


class TrainingError(CryoPickError):
    """Training could not start, go on or end well."""
