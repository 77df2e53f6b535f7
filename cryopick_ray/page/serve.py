"""Serving a page on this machine, until it is told to end."""

import logging
import socket
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from html import escape
from pathlib import Path

import uvicorn

from cryopick_ray.errors import UsageError
from cryopick_ray.page.app import make_app
from cryopick_ray.page.desk import Desk
from cryopick_ray.page.security import new_token
from cryopick_ray.page.work import Work
from cryopick_ray.store.temporary_folder import temporary_folder

HOST = "127.0.0.1"
PATIENCE_S = 2
PREFIX = "cryopick-page-"
"""Of folders whose content is gone when a page ends."""


def serve(desk: Desk, port: int, *, say: Callable[[str], None], browse: bool) -> None:
    """Serve a page until it is interrupted.

    Parameters
    ----------
    port
        0 for any that is free.
    say
        Told the page's address.
    browse
        Whether to open it in a browser.

    Raises
    ------
    UsageError
        If the port is taken.
    """
    token = new_token()
    with bound_socket(port) as bound, temporary_folder(PREFIX) as private:
        work = Work(desk, private)
        own = bound.getsockname()[1]
        url = f"http://{HOST}:{own}/{token}/"
        config = uvicorn.Config(
            make_app(desk, work, token),
            access_log=False,  # it would tell the secret
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=PATIENCE_S,
            lifespan="off",
            ws="none",
        )
        desk.tally.start()
        say(url)
        if browse:
            _browse(url, private)
        try:
            with suppress(KeyboardInterrupt):  # how a page is ended
                _Server(config).run(sockets=[bound])
        finally:
            work.close()
            desk.close()


class _Server(uvicorn.Server):
    """Ends without a word: who waits for an answer then is let go, which is no error."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let go of all who ask."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def bound_socket(port: int) -> socket.socket:
    """Return a socket of this machine alone."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
        made.listen()  # who asks before the page is ready waits
    except OSError as error:
        made.close()
        raise UsageError(
            f"`port` {port} cannot be had ({error.strerror}); choose another, or 0 for any"
        ) from error
    return made


def _browse(url: str, private: Path) -> None:
    """Open the page by a file that only this user reads: other users see what programs are started with."""
    page = private / "open.html"
    page.touch(mode=0o600)
    link = escape(url)
    page.write_text(f'<meta http-equiv="refresh" content="0; url={link}"><a href="{link}">Open</a>')
    webbrowser.open(page.as_uri())
