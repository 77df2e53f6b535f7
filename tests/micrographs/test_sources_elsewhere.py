"""INPUTs that are not micrographs of this machine: URLs, archives, movies."""

from pathlib import Path

import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.sources import list_sources


@pytest.mark.parametrize("text", ["ftp://host/x.mrc", "s3://", "https://", "file:///etc"])
def test_urls_of_other_kinds_are_refused_by_name(text):
    with pytest.raises(UsageError, match="expected a URL of s3://, gs://, http://, https://"):
        list_sources([text], relion_project=Path())


def test_an_entry_of_an_archive_is_sent_to_the_commands_that_read_it():
    with pytest.raises(UsageError, match="cryopick run"):
        list_sources(["empiar:10017"], relion_project=Path())


@pytest.mark.parametrize("url", ["s3://b/set", "gs://b", "https://host/a"])
def test_one_remote_micrograph_is_named_by_its_file_and_not_asked_for(url):
    [source] = list_sources([f"{url}/x y.mrc"], relion_project=Path())
    assert (source.micrograph_id, source.relion_name, source.origin) == (
        "x y.mrc",
        "x y.mrc",
        f"{url}/x y.mrc",
    )


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (
            ["a.mrcs", "b.eer", "c.MRCS.bz2"],
            [("a.mrcs", "movie"), ("b.eer", "movie"), ("c.MRCS.bz2", "movie")],
        ),
        (["a.mrcs", "a.mrc"], [("a.mrc", "micrograph")]),
    ],
)
def test_stacks_are_movies_and_taken_only_where_there_are_no_micrographs(tmp_path, names, taken):
    for name in names:
        (tmp_path / name).touch()
    found = list_sources([str(tmp_path)], relion_project=tmp_path)
    assert [(micrograph.micrograph_id, micrograph.kind) for micrograph in found] == taken
