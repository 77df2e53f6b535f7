"""An engine for what must be refused before any work."""


class NoEngine:
    """Does no work: what is wrong is told before there is any."""

    has_gpus = False

    def open_session(self, kinds):
        raise AssertionError("micrographs were read")
