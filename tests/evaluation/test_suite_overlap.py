import pytest

from cryopick_ray.suite.overlap import NOT_SAID, overlap

GENERAL = "betagal-10017, ribosome-70s, p97-crowded, p97: 1234 particles in 20 micrographs"


@pytest.mark.parametrize(
    ("dataset", "molecule", "said"),
    [
        ("betagal-10017", None, "this data set"),
        ("betagal-10017", "betagal", "this data set"),
        ("betagal-10061", "betagal", "its molecule (betagal-10017)"),
        ("ribosome", "ribosome-70s", "its molecule (ribosome-70s)"),
        ("p97-held-out", "p97", "its molecule (p97-crowded, p97)"),
        ("p97", "p97", "its molecule (p97-crowded, p97)"),  # simulated again, with another seed
        ("apoferritin-10146", "apoferritin", ""),
        ("junk", None, ""),
        ("betagal", None, ""),
    ],
)
def test_what_was_trained_on_is_said(dataset, molecule, said):
    assert overlap(GENERAL, dataset, molecule) == said


def test_a_card_that_does_not_list_data_sets_is_not_taken_for_innocent():
    assert overlap("not recorded in the file", "p97", "p97") == NOT_SAID


def test_a_picker_that_learns_nothing_has_seen_nothing():
    assert overlap(None, "betagal-10017", "betagal") == ""
