"""A folder or a bucket in place of the archive: the same files, the same rules."""

import obstore
import pytest
from archive_server import ENTRY, noise
from downloads import download
from obstore.store import from_url

from cryopick_ray.empiar.source import EmpiarSource
from cryopick_ray.transfer.transfer_errors import ChangedError, MissingError

FILES = {f"data/images/m{number} +ü.mrc": noise(number, 300_000) for number in range(4)}


@pytest.fixture(scope="module")
def s3_endpoint():
    """An S3 server in a thread."""
    server = pytest.importorskip("moto.server", reason="pip install 'moto[s3,server]'")
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    running.stop()


@pytest.fixture(params=["folder", "s3"])
def mirror(request, tmp_path, monkeypatch):
    """An entry in a folder, or in a bucket; the archive's own interface is away."""
    monkeypatch.setenv("CRYOPICK_EMPIAR_API", "http://127.0.0.1:9/api")
    monkeypatch.setattr("cryopick_ray.transfer.http.TRIES", 1)
    if request.param == "folder":
        for path, data in FILES.items():
            (tmp_path / "mirror" / ENTRY / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "mirror" / ENTRY / path).write_bytes(data)
        monkeypatch.setenv("CRYOPICK_EMPIAR_FILES", str(tmp_path / "mirror"))
        return f"file://{tmp_path}/mirror"
    endpoint = request.getfixturevalue("s3_endpoint")
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    import urllib.request

    request_ = urllib.request.Request(f"{endpoint}/archive", method="PUT")
    urllib.request.urlopen(request_).close()
    store = from_url("s3://archive/mirror", client_options={"allow_http": True})
    for path, data in FILES.items():
        obstore.put(store, f"{ENTRY}/{path}", data)
    monkeypatch.setenv("CRYOPICK_EMPIAR_FILES", "s3://archive/mirror")
    return "s3://archive/mirror"


def test_all_files_of_a_mirror_arrive(mirror, tmp_path):
    record = download(tmp_path / "out")
    assert record.endings == dict.fromkeys(FILES, "")
    for path, data in FILES.items():
        assert (tmp_path / "out" / path).read_bytes() == data


def test_a_part_is_gone_on_with_and_a_changed_file_is_told(mirror):
    files = EmpiarSource().files(ENTRY)
    path = next(iter(FILES))
    with files.open(path, 0, None) as body:
        validator = body.validator
    with files.open(path, 100_000, validator) as body:
        assert (body.start, body.size_bytes) == (100_000, 300_000)
        assert b"".join(body.chunks) == FILES[path][100_000:]
    with pytest.raises(ChangedError), files.open(path, 100_000, '"another"') as body:
        b"".join(body.chunks)
    with pytest.raises(ChangedError), files.open(path, 300_001, validator) as body:
        b"".join(body.chunks)
    with pytest.raises(MissingError), files.open("data/none.mrc", 0, None):
        pass
    assert files.size(path) == 300_000


def test_an_entry_that_the_mirror_lacks(mirror):
    with pytest.raises(MissingError):
        list(EmpiarSource().files("10017").walk("data"))
