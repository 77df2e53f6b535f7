"""Nobody gets in without the secret, and nothing changes but from the page itself."""

import socket

import pytest
from served import served

from cryopick_ray.page.security import MOST_BYTES

JSON = ("Content-Type", "application/json")
DECISION = b'{"micrographs":[0],"exclude":true}'


@pytest.fixture(scope="module")
def page(picked, tmp_path_factory):
    with served(picked / "run", curation=tmp_path_factory.mktemp("guarded") / "curation") as page:
        yield page


PATHS = ["", "static/style.css", "api/about", "api/micrographs", "api/tile/plain/0/9/0_0.jpg", "nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_without_the_secret_there_is_nothing(page, path):
    wrong = page.token[:-1] + ("a" if page.token[-1] != "a" else "b")
    for before in (
        "/",
        f"/{wrong}/",
        f"/{page.token[:-1]}/",
        f"/{page.token}x/",
        f"//{page.token}/",
        "/x/../",
    ):
        status, headers, content = page.raw("GET", f"{before}{path}", [page.host])
        assert status == 403, before
        assert page.token.encode() not in content
        assert headers["referrer-policy"] == "no-referrer"
    assert page.raw("GET", f"/{page.token}", [page.host])[0] == 403


def test_without_the_secret_nothing_is_decided(page):
    sent = [page.host, JSON, ("Content-Length", str(len(DECISION)))]
    assert page.raw("POST", "/api/exclude", sent, DECISION)[0] == 403
    assert not any(page.json("api/micrographs")["columns"]["excluded"])


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        ["evil.example"],
        ["127.0.0.1.evil.example"],
        ["evil.example:80", "127.0.0.1"],
        ["127.0.0.1@evil.example"],
    ],
)
def test_a_name_that_is_not_this_machines_gets_nothing(page, hosts):
    sent = [("Host", host) for host in hosts]
    assert page.raw("GET", f"/{page.token}/api/about", sent)[0] in (400, 403)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "[::1]:9", "127.0.0.1:1234"])
def test_a_tunnel_may_have_another_port(page, host):
    assert page.raw("GET", f"/{page.token}/api/about", [("Host", host)])[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        [JSON, ("Origin", "http://evil.example")],
        [JSON, ("Origin", "null")],
        [JSON, ("Origin", "http://127.0.0.1:1")],
        [JSON, ("Sec-Fetch-Site", "cross-site")],
        [JSON, ("Sec-Fetch-Site", "same-site")],
        [("Content-Type", "text/plain")],
        [("Content-Type", "application/x-www-form-urlencoded")],
        [],
    ],
)
def test_another_page_decides_nothing(page, headers):
    sent = [page.host, ("Content-Length", str(len(DECISION))), *headers]
    assert page.raw("POST", f"/{page.token}/api/exclude", sent, DECISION)[0] == 403
    assert not any(page.json("api/micrographs")["columns"]["excluded"])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_do_nothing(page, method):
    assert page.raw(method, f"/{page.token}/api/exclude", [page.host, JSON])[0] == 405


def test_the_page_itself_decides(page):
    origin = ("Origin", f"http://127.0.0.1:{page.port}")
    assert page.post("api/exclude", {"micrographs": [0], "exclude": True}, origin)[0] == 200
    assert page.json("api/micrographs")["columns"]["excluded"][0]
    assert page.post("api/undo", {}, origin)[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "static/../app.py",
        "static/..%2fapp.py",
        "static/%2e%2e/app.py",
        "static/%2e%2e%2fapp.py",
        "static/..%5capp.py",
        "static/%252e%252e/app.py",
        "static//etc/passwd",
        "static/%2fetc%2fpasswd",
        "static/....//....//etc/passwd",
        "static/style.css%00.js",
        "static/",
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "api/thumbnail/..%2f..%2f0.jpg",
        "api/tile/..%2f/0/0/0_0.jpg",
        "api/tile/plain/0/0/../../0_0.jpg",
    ],
)
def test_no_path_leads_out(page, path):
    status, _, content = page.raw("GET", f"/{page.token}/{path}", [page.host])
    assert status in (400, 403, 404), content[:80]
    assert b"import" not in content
    assert b"root:" not in content


@pytest.mark.parametrize("path", ["", "static/style.css", "api/about", "api/thumbnail/0.jpg", "nothing"])
def test_every_answer_says_how_it_may_be_used(page, path):
    _, headers, _ = page.raw("GET", f"/{page.token}/{path}", [page.host])
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_too_much_at_once_is_refused_before_it_is_read(page):
    sent = [page.host, JSON, ("Content-Length", str(MOST_BYTES + 1))]
    assert page.raw("POST", f"/{page.token}/api/undo", sent)[0] == 413


def test_too_much_is_refused_also_where_its_length_is_not_told(page):
    head = (
        f"POST /{page.token}/api/undo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    block = b"100000\r\n" + b" " * 2**20 + b"\r\n"
    with socket.create_connection(("127.0.0.1", page.port), timeout=30) as connection:
        connection.sendall(head.encode())
        try:
            for _ in range(MOST_BYTES // 2**20 + 1):
                connection.sendall(block)
        except OSError:
            pass  # it hung up
        assert b" 413 " in connection.recv(4096)


def test_errors_call_settings_as_the_command_does(page):
    status, content = page.post(
        "api/decisions", b'{"micrograph":0,"rows":[{"action":"add","x_px":-9,"y_px":1}]}'
    )
    assert (status, b"--curation adds a pick at" in content) == (400, True)
    status, content = page.get("api/classes")
    assert (status, b"give --classes, " in content) == (404, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("api/decisions", b""),
        ("api/decisions", b"[" * 100_000),
        ("api/decisions", b'{"micrograph":0,"rows":[{"action":"add","x_px":NaN,"y_px":1}]}'),
        ("api/decisions", b'{"micrograph":0,"rows":[{"action":"add","x_px":1e999,"y_px":1}]}'),
        ("api/decisions", b'{"micrograph":0,"rows":[{"action":"add","x_px":1e300,"y_px":1}]}'),
        ("api/decisions", b'{"micrograph":0,"rows":[{"action":"remove","x_px":1,"y_px":-1e300}]}'),
        ("api/decisions", b'{"micrograph":-1,"rows":[]}'),
        ("api/decisions", b'{"micrograph":0,"rows":[{"action":"junk","x_px":1,"y_px":1,"radius_px":-5}]}'),
        ("api/decisions", b'{"micrograph":0,"rows":[{"action":"add","x_px":-9,"y_px":1}]}'),
        ("api/decisions", b'{"micrograph":0,"rows":[{"action":"add","x_px":1,"y_px":1,"by":"somebody"}]}'),
        ("api/decisions", b'{"micrograph":99999999999999999999999,"rows":[]}'),
        ("api/exclude", b'{"micrographs":"all","exclude":true}'),
        ("api/start", b'{"what":"rm -rf /"}'),
        ("api/start", b'{"what":"export","format":"../../star"}'),
        ("api/stop", b'{"job":"no such"}'),
        ("api/undo", b"\xff\xfe"),
    ],
)
def test_what_makes_no_sense_is_told_and_changes_nothing(page, path, body):
    status, content = page.post(path, body)
    assert status in (400, 404), content
    assert b'"error"' in content
    assert not any(page.json("api/micrographs")["columns"]["decisions"])


@pytest.mark.parametrize(
    "path",
    [
        "api/candidates/0/4",
        "api/candidates/9/0",
        "api/candidates/0/-1",
        "api/candidates/0/99999999999999999999999999",
        "api/tile/plain/0/99/0_0.jpg",
        "api/tile/plain/0/9/99_0.jpg",
        "api/tile/plain/0/9/999999999999999999999_0.jpg",
        "api/tile/none/0/9/0_0.jpg",
        "api/counts?threshold=nan",
        "api/counts",
        "api/class/1.png",
        "api/truth/0",
    ],
)
def test_what_is_not_there_is_told(page, path):
    page.counts(0)
    assert page.get(path)[0] in (400, 404)
