"""Where a server may send a download, and where not."""

import pytest
from downloads import download

from cryopick_ray.transfer.headers import redirected
from cryopick_ray.transfer.transfer_errors import RemoteError


@pytest.mark.parametrize(
    "location", ["https://example.org/x.mrc", "http://127.0.0.2:9/x.mrc", "//example.org/x"]
)
def test_redirects_to_other_hosts_are_refused(archive, micrographs, tmp_path, location):
    archive.always[micrographs[0]] = ("redirect", location)
    record = download(tmp_path)
    assert "redirects to" in record.endings[micrographs[0]]


def test_a_redirect_on_the_own_host_is_followed_but_not_for_ever(archive, micrographs, tmp_path):
    archive.faults[micrographs[0]] = [("redirect", "?again")]
    archive.always[micrographs[1]] = ("redirect", "?again")
    record = download(tmp_path)
    assert record.endings[micrographs[0]] == ""
    assert "redirects more than" in record.endings[micrographs[1]]


@pytest.mark.parametrize(
    ("before", "target", "expected"),
    [
        ("http://a.org/x", "https://a.org/x", "https://a.org/x"),
        ("https://a.org/x", "http://a.org/x", None),
        ("https://a.org/x", "https://a.org:444/x", None),
        ("https://a.org/x", "https://a.org@b.org/x", None),
        ("https://a.org/x/", "../y", "https://a.org/y"),
        ("https://a.org/x", "file:///etc/passwd", None),
    ],
)
def test_where_a_redirect_may_lead(before, target, expected):
    if expected:
        assert redirected(before, target) == expected
    else:
        with pytest.raises(RemoteError, match="redirects"):
            redirected(before, target)
