"""What an entry says of itself, however little or hostile it is."""

import json

import pytest
from archive_server import SET
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.empiar.entry import (
    Entry,
    ImageSet,
    choose_image_set,
    entry_number,
    parse_entry,
    parse_search,
)
from cryopick_ray.empiar.source import EmpiarAddresses, EmpiarSource
from cryopick_ray.errors import CryoPickError, UsageError
from cryopick_ray.transfer.transfer_errors import MissingError, RemoteError

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(SET)), inner, max_size=4)
    ),
)


def parsed(entry: object) -> Entry:
    return parse_entry(json.dumps({"EMPIAR-10017": entry}).encode(), "10017")


def test_an_entry_as_the_archive_writes_it():
    entry = parsed(
        {
            "title": "Beta-galactosidase Falcon-II micrographs",
            "dataset_size": "12.4 GB",
            "release_date": "2015-06-19",
            "entry_doi": "10.6019/EMPIAR-10017",
            "cross_references": ["EMD-2824", {"name": "EMD-1"}],
            "imagesets": [SET],
        }
    )
    assert entry.title == "Beta-galactosidase Falcon-II micrographs"
    assert entry.cross_references == ("EMD-2824", "EMD-1")
    (one,) = entry.image_sets
    assert (one.count, one.frames, one.pixel_size_A, one.width_px) == (6, 1, 1.77, 4096)
    assert one.kind == "micrographs"


@given(
    st.dictionaries(
        st.sampled_from(["title", "imagesets", "dataset_size"]), JSON | st.lists(JSON, max_size=3)
    )
)
def test_any_json_makes_an_entry(fields):
    for image_set in parsed(fields).image_sets:
        assert ".." not in image_set.directory.split("/")
        assert not image_set.directory.startswith("/")
        assert image_set.pixel_size_A is None or image_set.pixel_size_A > 0


@pytest.mark.parametrize(
    "raw", [b"", b"<html>", b"[" * 10**5, b"[1]", b'"x"', b"\xff\xfe\x00", b'{"a": ' + b"9" * 10**4 + b"}"]
)
def test_what_is_no_json_object_is_told(raw):
    with pytest.raises(RemoteError):
        parse_entry(raw, "10017")


def test_controls_in_texts_do_not_reach_the_terminal():
    assert parsed({"title": "a\x1b[2Jb\u2028c"}).title == "a [2Jb c"


@pytest.mark.parametrize("directory", ["../../etc", "/etc/../..", None, 7, "a\\..\\b"])
def test_a_directory_that_leads_out_is_the_data_folder(directory):
    (one,) = parsed({"imagesets": [SET | {"directory": directory}]}).image_sets
    assert one.directory in ("data", "7")


def test_an_entry_that_is_not_there():
    with pytest.raises(MissingError, match="10017"):
        parse_entry(b"{}", "10017")


@pytest.mark.parametrize(
    "text", ["10017", "EMPIAR-10017", "empiar:10017", " empiar-10017 ", "empiar:EMPIAR-10017"]
)
def test_the_number_of_an_entry(text):
    assert entry_number(text) == "10017"


@pytest.mark.parametrize("text", ["", "x", "10017/../1", "EMPIAR", "\u0661\u0660\u0660\u0661\u0667", "-1"])
def test_what_is_no_number_of_an_entry(text):
    with pytest.raises(UsageError):
        entry_number(text)


MOVIES = ImageSet(name="raw movies", category="micrographs - multiframe", frames=38)
PLAIN = ImageSet(name="averages", category="micrographs - single frame", frames=1)
WEIGHTED = ImageSet(name="averages, dose-weighted", category="micrographs - single frame", frames=1)
UNWEIGHTED = ImageSet(name="b", category="micrographs - single frame - non-dose-weighted", frames=1)
PARTICLES = ImageSet(name="particles", category="picked particles - single frame - processed")


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ((MOVIES, PARTICLES, PLAIN), PLAIN),
        ((MOVIES, PARTICLES), MOVIES),
        ((UNWEIGHTED, WEIGHTED, PLAIN), WEIGHTED),
        ((UNWEIGHTED, MOVIES), UNWEIGHTED),
    ],
)
def test_micrographs_before_movies_and_weighted_before_others(sets, expected):
    chosen, why = choose_image_set(Entry("10017", image_sets=sets), None)
    assert chosen is expected
    assert repr(expected.name) in why


def test_a_set_by_number_and_by_a_part_of_its_name():
    entry = Entry("10017", image_sets=(MOVIES, PLAIN, WEIGHTED))
    assert choose_image_set(entry, "1")[0] is MOVIES
    assert choose_image_set(entry, "averages")[0] is PLAIN
    assert choose_image_set(entry, "Movies")[0] is MOVIES
    for wrong in ("0", "4", "aver", "nothing"):
        with pytest.raises(UsageError, match=r"`archive.image_set`"):
            choose_image_set(entry, wrong)


def test_an_entry_of_particles_alone_wants_a_choice():
    with pytest.raises(UsageError, match="no micrographs"):
        choose_image_set(Entry("10017", image_sets=(PARTICLES,)), None)
    assert choose_image_set(Entry("10017"), None)[0].directory == "data"


@pytest.mark.parametrize("raw", [b"{}", b'{"entries": 3}', b'{"entries": [1, {"id": "x"}], "hitCount": "y"}'])
def test_a_search_that_answers_nonsense_finds_nothing(raw):
    assert parse_search(raw) == (0, [])


def test_a_search_goes_from_page_to_page(archive):
    hits, found = EmpiarSource().search("apoferritin", limit=120)
    assert hits == 130
    assert [one.entry_id for one in found] == [str(10000 + n) for n in range(120)]
    assert found[7].title == "apoferritin 7"


def test_places_with_credentials_or_of_another_kind_are_refused(monkeypatch):
    monkeypatch.setenv("CRYOPICK_EMPIAR_FILES", "https://user:secret@example.org/x")
    with pytest.raises(CryoPickError, match="credentials") as caught:
        EmpiarAddresses.from_environment()
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("CRYOPICK_EMPIAR_FILES", "ftp://example.org/x")
    with pytest.raises(CryoPickError, match="expected"):
        EmpiarAddresses.from_environment()
