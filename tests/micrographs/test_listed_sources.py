"""Sources in text lists and STAR lists."""

from pathlib import Path

import pytest
from source_files import ids, sources, touch

from cryopick_ray.errors import UsageError
from cryopick_ray.units import Optics

pytestmark = pytest.mark.usefixtures("home")


RELION_31 = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnVoltage #4
_rlnSphericalAberration #5
_rlnAmplitudeContrast #6
_rlnMicrographPixelSize #7
opticsGroup1 1 0.885 200.0 1.4 0.1 1.77
opticsGroup2 2 0.885 300.0 2.7 0.07 0.885

# version 30001

data_micrographs

loop_
_rlnMicrographName #1
_rlnCtfMaxResolution #2
_rlnOpticsGroup #3
MotionCorr/job002/Movies/b.mrc 4.6 2
MotionCorr/job002/Movies/a.mrc 4.8 1
"""
RELION_30 = """
data_

loop_
_rlnMicrographName #1
_rlnVoltage #2
_rlnSphericalAberration #3
_rlnAmplitudeContrast #4
mics/1.mrc 300.0 2.7 0.1
mics/2.mrc 300.0 2.7 0.1
"""


class TestTextList:
    def test_comments_and_both_folders(self, home):
        touch("lists/a/1.mrc", "a/1.mrc", "b/2.mrc", "b/#3.mrc")
        Path("lists/mine.txt").write_text(
            f"# good ones\n\na/1.mrc\r\n  b/2.mrc \n{home}/b/#3.mrc\n", "utf-8-sig"
        )
        assert ids("lists/mine.txt") == ["lists/a/1.mrc", "b/2.mrc", "b/#3.mrc"]
        assert {source.dataset for source in sources("lists/mine.txt")} == {"mine"}

    def test_the_root_is_the_deepest_common_folder(self):
        touch("d/e/x/1.mrc", "d/e/y/1.mrc", "l.lst")
        Path("l.lst").write_text("d/e/y/1.mrc\nd/e/x/1.mrc\n")
        assert ids("l.lst") == ["y/1.mrc", "x/1.mrc"]
        Path("l.lst").write_text("d/e/y/1.mrc\n")
        assert ids("l.lst") == ["1.mrc"]

    def test_a_missing_file_among_others_is_left_to_its_reader(self, home):
        touch("d/1.mrc")
        Path("d/l.txt").write_text("1.mrc\n2.mrc\n")
        assert [source.path for source in sources("d/l.txt")] == [home / "d/1.mrc", home / "d/2.mrc"]

    def test_a_list_of_nothing_that_exists_is_refused(self):
        Path("l.txt").write_text("x/1.mrc\nx/2.mrc\n")
        with pytest.raises(UsageError, match=r"none of its 2 files.*x/1\.mrc"):
            sources("l.txt")

    @pytest.mark.parametrize("content", [b"", b"# only this\n", b"\xff\xfe\x00", b"\x00" * 50])
    def test_a_list_that_is_none_is_refused(self, content):
        Path("l.txt").write_bytes(content)
        with pytest.raises(UsageError, match=r"l\.txt"):
            sources("l.txt")


class TestStarList:
    def test_relion_31_names_optics_and_pixel_sizes_are_kept(self, home):
        touch("MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/b.mrc")
        Path("micrographs_ctf.star").write_text(RELION_31)
        second, first = sources("micrographs_ctf.star")
        assert first.relion_name == "MotionCorr/job002/Movies/a.mrc"
        assert first.path == home / first.relion_name
        assert (first.micrograph_id, first.dataset) == ("a.mrc", "micrographs_ctf")
        assert (first.optics, first.pixel_size_A) == (Optics(200, 1.4, 0.1), 1.77)
        assert (second.optics, second.pixel_size_A) == (Optics(300, 2.7, 0.07), 0.885)

    def test_the_movie_s_pixel_size_is_not_taken_for_the_micrograph_s(self):
        touch("MotionCorr/job002/Movies/a.mrc")
        lines = RELION_31.replace("_rlnMicrographPixelSize", "_rlnSomethingElse")
        Path("m.star").write_text(lines)
        assert {(source.pixel_size_A, source.original_pixel_size_A) for source in sources("m.star")} == {
            (None, 0.885)
        }

    def test_relion_30_has_all_in_one_block(self):
        touch("mics/1.mrc", "mics/2.mrc")
        Path("m.star").write_text(RELION_30)
        assert [(s.relion_name, s.optics) for s in sources("m.star")] == [
            ("mics/1.mrc", Optics(300, 2.7, 0.1)),
            ("mics/2.mrc", Optics(300, 2.7, 0.1)),
        ]

    def test_the_project_is_looked_in_before_the_star_s_folder(self, home):
        touch("project/mics/1.mrc", "stars/mics/1.mrc", "stars/mics/2.mrc")
        Path("stars/m.star").write_text(RELION_30)
        first, second = sources("stars/m.star", project="project")
        assert first.path == home / "project/mics/1.mrc"
        assert second.path == home / "stars/mics/2.mrc"
        assert second.relion_name == "mics/2.mrc"

    def test_names_that_look_like_numbers_stay_names(self):
        touch("007.mrc", "1e5.mrc")
        Path("m.star").write_text("data_\n\nloop_\n_rlnMicrographName #1\n007.mrc\n1e5.mrc\n")
        assert ids("m.star") == ["007.mrc", "1e5.mrc"]

    def test_micrographs_repeated_for_each_particle_count_once(self, real_data):
        touch("061.mrc")
        star = (real_data / "formats/star/cryoppp_style_10028.star").read_text()
        Path("m.star").write_text(star)
        assert ids("m.star") == ["061.mrc"]

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "no star at all\n",
            "data_micrographs\n",
            "data_micrographs\n\nloop_\n_rlnMicrographMovieName #1\nm.tif\n",
            "data_micrographs\n\nloop_\n_rlnMicrographName #1\n",
            "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n1.mrc\n2.mrc 1 2 3\n",
            "data_a\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographName #2\n1.mrc 1.mrc\n",
            "data_micrographs\n\n_rlnMicrographName 'open\n",
            RELION_30 + RELION_30.replace("data_", "data_again"),
            "\xff\x00\x01",
        ],
    )
    def test_a_damaged_star_is_a_usage_error(self, content):
        touch("1.mrc")
        Path("m.star").write_text(content, "latin-1")
        with pytest.raises(UsageError, match=r"m\.star"):
            sources("m.star")

    def test_a_group_that_is_a_word_takes_no_optics_from_the_others(self):
        touch(*(f"MotionCorr/job002/Movies/{name}.mrc" for name in "abc"))
        lines = RELION_31.replace("4.8 1\n", "4.8 1\nMotionCorr/job002/Movies/c.mrc 4.8 other\n")
        Path("m.star").write_text(lines)
        found = {source.path.name: source.optics for source in sources("m.star")}
        assert found == {"a.mrc": Optics(200, 1.4, 0.1), "b.mrc": Optics(300, 2.7, 0.07), "c.mrc": None}

    def test_damaged_optics_are_no_optics(self):
        touch("MotionCorr/job002/Movies/a.mrc")
        Path("m.star").write_text(RELION_31.replace(" 200.0 1.4 0.1 1.77", " nan high -1 0"))
        _, first = sources("m.star")
        assert (first.optics, first.pixel_size_A, first.original_pixel_size_A) == (None, None, 0.885)
