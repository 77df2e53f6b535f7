"""Whatever a server calls a file, it cannot leave the folder of the download."""

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cryopick_ray.transfer.names import MAX_NAME_BYTES, child_of, encoded, local_path, matches
from cryopick_ray.transfer.transfer_errors import HostileNameError

HERE = "/empiar/world_availability/10999/data/"


@given(
    st.text(st.characters(exclude_characters="/\\", exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1)
)
@example("m 0+1%2e%2e?#&;=ü€.mrc")
@example("a" * MAX_NAME_BYTES)
def test_an_honest_name_survives_the_link_and_the_address(name):
    if name.startswith(".") or name.endswith(".part") or len(name.encode()) > MAX_NAME_BYTES:
        return
    assert child_of(quote(name, safe=""), HERE) == (name, False)
    assert child_of(f"{quote(name, safe='')}/", HERE) == (name, True)
    assert child_of(f"{HERE}{quote(name, safe='')}", HERE) == (name, False)
    assert encoded(name).isascii()


@pytest.mark.parametrize(
    "href",
    [
        "../../etc/passwd",
        "sub/../../x.mrc",
        "%2e%2e",
        "%2E%2e%2fx.mrc",
        "..%2f..%2fx.mrc",
        "..%5c..%5cx.mrc",
        "a%00.mrc",
        "a%0a.mrc",
        "a%1b[31m.mrc",
        "a\\b.mrc",
        "a%e2%80%a8b.mrc",
        "%ff%fe.mrc",
        "x" * (MAX_NAME_BYTES + 1),
        "%2e%2e/",
        "a.mrc.part",
        "/empiar/world_availability/10999/data/%2e%2e%2fx",
    ],
)
def test_a_name_that_leads_out_or_cannot_be_written_is_refused(href):
    with pytest.raises(HostileNameError):
        child_of(href, HERE)


@pytest.mark.parametrize(
    "href",
    [
        "?C=N;O=D",
        "../",
        "..",
        "/",
        "/empiar/",
        "",
        "#top",
        "./",
        ".hidden",
        "https://example.org/x.mrc",
        "//x/y.mrc",
    ],
)
def test_what_is_no_visible_child_is_passed_over(href):
    assert child_of(href, HERE) is None


@given(st.text(max_size=60))
@example("../x")
@example("a/../../x")
@example("/etc/passwd")
@example("a//b")
@example("\ud800")
def test_no_path_leaves_the_folder(path):
    from pathlib import Path

    root = Path("/tmp/root-of-a-download")
    try:
        target = local_path(root, path)
    except HostileNameError:
        return
    assert target.resolve().is_relative_to(root)
    assert target != root


def test_a_link_on_this_disk_that_leads_out_is_not_followed(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "data").symlink_to(outside)
    with pytest.raises(HostileNameError, match="symbolic link"):
        local_path(root, "data/a.mrc")


@pytest.mark.parametrize(
    ("path", "pattern", "fits"),
    [
        ("data/a_DW.mrc", "*_DW.mrc", True),
        ("data/a.mrc", "*_DW.mrc", False),
        ("data/x/a.mrc", "data/x/*", True),
        ("data/y/a.mrc", "data/x/*", False),
        ("data/A.mrc", "a*", False),
    ],
)
def test_patterns(path, pattern, fits):
    assert matches(path, pattern) is fits
