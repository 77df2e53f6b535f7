import pytest

from cryopick_ray.pickers.provenance import LearntSet, Provenance
from cryopick_ray.suite.leakage import NOT_SAID, leakage

GENERAL = Provenance.model_validate(
    {
        "sets": [
            {"dataset": "betagal-10017", "molecule": "betagal", "simulated": False},
            {"dataset": "ribosome-70s", "molecule": "ribosome-70s", "simulated": True},
            {"dataset": "p97-crowded", "molecule": "p97", "simulated": True},
            {"dataset": "p97", "molecule": "p97", "simulated": True},
            {"dataset": "proteasome-capped-few", "molecule": "proteasome-capped", "simulated": True},
        ]
    }
)


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
        ("few", "proteasome", ""),  # a name that another begins with is another molecule
        ("junk", None, ""),
        ("betagal", None, ""),
    ],
)
def test_what_was_trained_on_is_said(dataset, molecule, said):
    assert leakage(GENERAL, dataset, molecule) == said


def test_a_card_that_does_not_list_data_sets_is_not_taken_for_innocent():
    for said in (Provenance(), Provenance(note="p97, betagal: 7 particles in 1 micrographs")):
        assert leakage(said, "p97", "p97") == NOT_SAID


def test_what_the_model_before_had_seen_counts_too():
    taught = Provenance(sets=(LearntSet(dataset="micrographs"),), before=GENERAL)
    assert leakage(taught, "betagal-10061", "betagal") == "its molecule (betagal-10017)"
    assert leakage(taught, "junk", None) == ""
    unknown = taught.model_copy(update={"before": Provenance()})
    assert leakage(unknown, "betagal-10017", "betagal") == NOT_SAID
    assert leakage(unknown, "micrographs", None) == "this data set"


def test_a_picker_that_learns_nothing_has_seen_nothing():
    assert leakage(None, "betagal-10017", "betagal") == ""
