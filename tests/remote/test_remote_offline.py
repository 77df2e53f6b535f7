"""A machine without a network is told so at once; a connection that breaks later is asked for again."""

import socket
import time

import pytest

from cryopick_ray.transfer.http import Client
from cryopick_ray.transfer.transfer_errors import RemoteError


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid"])
def test_the_first_request_of_all_is_given_up_within_seconds(host):
    begun = time.monotonic()
    with pytest.raises(RemoteError, match=f"{host}:.* seems to be offline.*CRYOPICK_EMPIAR_FILES"):
        Client(1).page(f"http://{host}:{closed_port()}/x", at_most=100)
    assert time.monotonic() - begun < 5


def test_once_a_server_has_answered_a_refused_connection_is_asked_again(monkeypatch):
    monkeypatch.setattr("cryopick_ray.transfer.http.TRIES", 3)
    port = closed_port()
    client = Client(1)
    client._has_heard = True
    with pytest.raises(RemoteError, match="asked 3 times"):
        client.page(f"http://127.0.0.1:{port}/x", at_most=100)
