"""A bucket that fails now and then is a bucket; one that fails for good is said to be unreachable."""

import http.client
import os
import socket
import time

import pytest
from fault_proxy import FAULTS

from cryopick_ray.errors import DamagedError, StoreError, UnreachableError
from cryopick_ray.store import place as module
from cryopick_ray.store.copies import fetch_folder, local_copy, publish_folder
from cryopick_ray.store.place import Place

KEYS = ["a b.txt", "é#.mrc", "q%2fz", "x~y?.s", "..a", "w\\z", "plus+and&more=.star", "sq/deep/01.mrc.star"]


def do_everything(place):
    """Go through all that a place can do and check the answers."""
    data = os.urandom(300_000)
    assert place.get("none") is None
    assert place.size("none") is None
    place.put_new("new", data)
    assert place.get("new") == data
    assert not place.put_new("new", b"other")
    assert place.get("new") == data
    place.put("new", b"replaced")
    assert place.get("new") == b"replaced"
    for key in KEYS:
        place.put(f"k/{key}", key.encode())
    assert place.find("k") == sorted(f"k/{key}" for key in KEYS)
    assert place.sizes("k") == {f"k/{key}": len(key.encode()) for key in KEYS}
    assert {key: place.get(f"k/{key}") for key in KEYS} == {key: key.encode() for key in KEYS}
    assert place.size("k/é#.mrc") == 7
    assert place.find("none") == []
    assert place.names() == ["k", "new"]
    for _ in range(2):  # what is gone already is no error
        place.delete("new")
    assert place.find() == place.find("k")


def test_a_folder_and_a_bucket_answer_alike(bucket, tmp_path):
    do_everything(Place(str(tmp_path / "folder"), create=True))
    do_everything(Place(bucket.url))
    do_everything(Place(f"{bucket.url}/some where/deep/", create=True))


def test_google_cloud_storage_is_spoken_to(bucket):
    bucket.proxy.rate = 0.3
    do_everything(Place(bucket.url.replace("s3://", "gs://") + "/some where"))
    assert any("%2F" in path for _, path in bucket.proxy.seen)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_kind_of_fault_is_got_over(bucket, monkeypatch, fault):
    monkeypatch.setattr(module, "SILENCE_S", 0.1)
    bucket.proxy.rate, bucket.proxy.faults, bucket.proxy.late_s = 0.4, (fault,), 0.15
    do_everything(Place(bucket.url))
    assert bucket.proxy.counts[fault] > 0


def test_a_long_listing_goes_on_where_it_was_broken_off(bucket, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 7)
    place = Place(bucket.url)
    keys = sorted(f"d/{number:03}" for number in range(100))
    for key in keys:
        place.put(key, b"")
    bucket.proxy.faults, bucket.proxy.rate = ("cut", "torn", "slow down", "reset"), 0.4
    assert place.find("d") == keys


def test_a_create_whose_answer_was_lost_is_no_error_and_others_are_left_alone(bucket):
    place = Place(bucket.url)
    place.put("theirs", b"theirs")
    bucket.proxy.draw = lambda *_: next(draws, None)
    draws = iter(["lost"])
    place.put_new("ours", b"ours")
    draws = iter(["lost"])
    assert not place.put_new("theirs", b"ours")
    assert [place.get(key) for key in ("ours", "theirs")] == [b"ours", b"theirs"]


@pytest.mark.parametrize("fault", ["slow down", "reset", "lost", "late"])
def test_an_outage_ends_in_bounded_time_as_unreachable(bucket, monkeypatch, fault):
    monkeypatch.setattr(module, "UNREACHABLE_S", 0.2)
    monkeypatch.setattr(module, "SILENCE_S", 0.1)
    bucket.proxy.faults, bucket.proxy.rate, bucket.proxy.late_s = (fault,), 1.0, 0.3
    place = Place(bucket.url)
    for ask in (
        lambda: place.get("a"),
        lambda: place.size("a"),
        lambda: place.put("a", b""),
        lambda: place.put_new("a", b""),
        lambda: place.find(),
        lambda: place.delete("a"),
    ):
        with pytest.raises(UnreachableError, match=r"no good answer for 0\.2 s.*`resume`"):
            ask()


def test_nobody_there_is_unreachable(bucket, monkeypatch):
    monkeypatch.setattr(module, "UNREACHABLE_S", 0.3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(UnreachableError):
            Place(bucket.url).get("a")


def test_what_no_patience_mends_is_said_at_once(bucket, monkeypatch):
    monkeypatch.setattr(module, "UNREACHABLE_S", 60.0)
    start = time.monotonic()
    for ask in (lambda place: place.get("a"), lambda place: place.put("a", b""), lambda place: place.find()):
        with pytest.raises(StoreError, match="there is no such bucket") as error:
            ask(Place("s3://no-such-bucket-here/run"))
        assert not isinstance(error.value, UnreachableError)
    bucket.proxy.draw = lambda *_: "forbidden"
    for ask in (lambda place: place.get("a"), lambda place: place.put("a", b""), lambda place: place.find()):
        with pytest.raises(StoreError, match="403") as error:
            ask(Place(bucket.url))
        assert not isinstance(error.value, UnreachableError)
    assert time.monotonic() - start < 30


def test_plain_http_is_for_loopback_alone_unless_allowed(bucket, monkeypatch):
    monkeypatch.setattr(module, "UNREACHABLE_S", 0.3)
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.proxy.url.replace("127.0.0.1", "store.invalid"))
    with pytest.raises(StoreError, match=r"AWS_ENDPOINT_URL.*plain http.*AWS_ALLOW_HTTP"):
        Place(bucket.url)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    with pytest.raises(UnreachableError, match="error sending request"):  # a name that nobody has
        Place(bucket.url).get("a")


@pytest.mark.parametrize(
    "url", ["s3://key:hidden@bucket/run", "ftp://host/run", "s3://", "memory:///", "s3:///a"]
)
def test_other_urls_are_refused_and_credentials_in_them_not_repeated(url):
    with pytest.raises(StoreError, match=r"s3://BUCKET|in the environment") as error:
        Place(url)
    assert "hidden" not in str(error.value)


def test_secrets_are_in_no_message(bucket, monkeypatch):
    from fault_proxy import SECRET

    monkeypatch.setattr(module, "UNREACHABLE_S", 0.1)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "TheToken")
    bucket.proxy.faults, bucket.proxy.rate = ("slow down", "reset"), 1.0
    endpoint = bucket.proxy.url
    for url in (endpoint, endpoint.replace("//", "//someone:password@")):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(StoreError) as error:
            Place(bucket.url).get("a")
        chain, told = error.value, ""
        while chain is not None:
            told += str(chain) + repr(chain)
            chain = chain.__cause__
        assert not any(secret in told for secret in (SECRET, "TheToken", "password"))


def test_missing_credentials_are_named(bucket, monkeypatch):
    monkeypatch.setattr(module, "UNREACHABLE_S", 0.1)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", bucket.proxy.url)
    bucket.proxy.draw = lambda *_: "forbidden"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(StoreError, match="no credentials in the environment"):
        Place(bucket.url).get("a")


def test_more_bytes_than_expected_are_not_read(bucket):
    place = Place(bucket.url)
    place.put("a", b"12345")
    assert place.get("a", at_most=5) == b"12345"
    with pytest.raises(DamagedError, match="has 5 bytes, at most 4"):
        place.get("a", at_most=4)


def test_a_folder_is_published_index_last_and_nothing_of_the_old_one_is_left(bucket, tmp_path):
    url, seen = f"{bucket.url}/t", bucket.proxy.seen
    for parts in (("a/0", "a/1", "b/0"), ("a/0",)):
        local = tmp_path / str(len(parts))
        for name in ("_index", *parts):
            (local / name).parent.mkdir(parents=True, exist_ok=True)
            (local / name).write_text(f"{name} of {len(parts)}")
        seen.clear()
        publish_folder(local, url, index="_index")
        assert Place(url).find() == sorted(["_index", *parts])
        changes = [path for method, path in seen if method in ("PUT", "POST")]
        assert changes[0].endswith("?delete")
        assert changes[-1].endswith("/t/_index")
    fetch_folder(url, tmp_path / "back")
    assert (tmp_path / "back" / "a" / "0").read_text() == "a/0 of 1"


def test_a_large_file_goes_in_parts_that_may_fail(bucket, tmp_path):
    large = os.urandom(17 << 20)
    (tmp_path / "large").write_bytes(large)
    bucket.proxy.rate, bucket.proxy.faults = 0.25, ("slow down", "reset", "lost")
    place = Place(bucket.url)
    place.put_file("large", tmp_path / "large")
    assert place.get("large") == large
    assert sum("partNumber" in path for _, path in bucket.proxy.seen) >= 4


def test_what_a_hostile_bucket_holds_does_not_leave_the_folder(bucket, tmp_path):
    connection = http.client.HTTPConnection(*bucket.proxy.upstream, timeout=30)
    connection.request("PUT", f"/{bucket.url.partition('//')[2]}/t/a/../../escaped", b"x")
    assert connection.getresponse().status == 200
    connection.close()
    with pytest.raises(StoreError):
        fetch_folder(f"{bucket.url}/t", tmp_path / "deep" / "t")
    assert list(tmp_path.rglob("escaped")) == []


def test_what_is_made_in_vain_is_not_published(bucket, tmp_path):
    def fail_in_mid_work():
        with local_copy(f"{bucket.url}/t") as folder:
            folder.mkdir()
            (folder / "half").touch()
            raise RuntimeError(folder)

    with pytest.raises(RuntimeError) as error:
        fail_in_mid_work()
    assert not error.value.args[0].exists()
    assert Place(bucket.url).find() == []
    with local_copy(str(tmp_path / "here")) as folder:
        assert folder == tmp_path / "here"
