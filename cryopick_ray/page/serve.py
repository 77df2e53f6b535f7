"""Serve a page on this machine until it is interrupted."""

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
from cryopick_ray.page.page_actions import PageActions
from cryopick_ray.page.page_session import PageSession
from cryopick_ray.page.security import new_token
from cryopick_ray.store.temporary_folder import temporary_folder

HOST = "127.0.0.1"
PATIENCE_S = 2
PREFIX = "cryopick-page-"
"""Prefix of temporary folders, removed when a page ends."""


def serve(session: PageSession, port: int, *, say: Callable[[str], None], browse: bool) -> None:
    """Serve a page until it is interrupted.

    Parameters
    ----------
    port
        0 for any that is free.
    say
        Called with the page's URL.
    browse
        Whether to open it in a browser.

    Raises
    ------
    UsageError
        If the port is taken.
    """
    token = new_token()
    with bound_socket(port) as bound, temporary_folder(PREFIX) as private:
        actions = PageActions(session, private)
        bound_port = bound.getsockname()[1]
        url = f"http://{HOST}:{bound_port}/{token}/"
        config = uvicorn.Config(
            make_app(session, actions, token),
            access_log=False,  # it would log the token
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=PATIENCE_S,
            lifespan="off",
            ws="none",
        )
        session.tally.start()
        say(url)
        if browse:
            _browse(url, private)
        try:
            with suppress(KeyboardInterrupt):  # ends the page
                _Server(config).run(sockets=[bound])
        finally:
            actions.close()
            session.close()


class _Server(uvicorn.Server):
    """Shuts down silently: dropped connections are no errors."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close all connections."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def bound_socket(port: int) -> socket.socket:
    """Return a listening socket on loopback."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()  # early requests wait
    except OSError as error:
        listener.close()
        raise UsageError(
            f"`port` {port} cannot be had ({error.strerror}); choose another, or 0 for any"
        ) from error
    return listener


def _browse(url: str, private: Path) -> None:
    """Open the page by a file that only this user reads: other users see what programs are started with."""
    page = private / "open.html"
    page.touch(mode=0o600)
    link = escape(url)
    page.write_text(f'<meta http-equiv="refresh" content="0; url={link}"><a href="{link}">Open</a>')
    webbrowser.open(page.as_uri())
