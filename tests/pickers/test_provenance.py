import pytest
from pydantic import ValidationError

from cryopick_ray.pickers.provenance import LearntSet, Provenance
from cryopick_ray.pickers.weights import ModelCard

CARD = {
    "name": "m",
    "architecture": "heatmap",
    "parameters": {"base": 2},
    "particle_px": 20.0,
    "normalisation": "flattened",
    "licence": "",
    "source": "",
    "digest": 64 * "0",
}
SETS = (
    LearntSet(dataset="betagal-10017", molecule="betagal", simulated=False),
    *(
        LearntSet(dataset=f"{name}-{group}", molecule=name, simulated=True)
        for group in ("a", "b")
        for name in ("p97", "get3", "ring", "disc", "barrel")
    ),
    LearntSet(dataset="mine"),
)


def test_the_sentence_of_an_older_card_is_a_note_and_its_sets_are_not_recorded():
    card = ModelCard.model_validate(CARD | {"trained_on": "a, b: 7 particles in 2 micrographs"})
    assert card.trained_on == Provenance(note="a, b: 7 particles in 2 micrographs")
    assert card.trained_on.sets is None
    assert card.trained_on.lines() == ["a, b: 7 particles in 2 micrographs"]
    assert ModelCard.model_validate_json(card.model_dump_json()) == card


def test_sets_are_told_by_kind_with_molecules_counted_once():
    learnt = Provenance(sets=SETS, micrographs=20, particles=300, before=Provenance())
    assert learnt.lines() == [
        "real: 1 data set (betagal-10017)",
        "simulated: 10 data sets of 5 molecules (p97, get3, ring, disc and 1 more)",
        "not said whether real: 1 data set (mine)",
        "300 particles in 20 micrographs",
        "before that: not recorded",
    ]
    assert ModelCard.model_validate(CARD | {"trained_on": learnt.model_dump()}).trained_on == learnt


def test_each_training_before_is_one_line():
    first = Provenance(sets=SETS[-1:], micrographs=2, particles=30)
    learnt = Provenance(note="mine", before=Provenance(sets=SETS[:1], note="of two", before=first))
    assert learnt.lines() == [
        "mine",
        "before that: real: 1 data set (betagal-10017); of two",
        "before that: not said whether real: 1 data set (mine); 30 particles in 2 micrographs",
    ]


@pytest.mark.parametrize("wrong", [7, {"sets": [{"molecule": "p97"}]}, {"micrographs": -1}, {"hosts": "x"}])
def test_what_is_no_provenance_is_refused(wrong):
    with pytest.raises(ValidationError, match="trained_on"):
        ModelCard.model_validate(CARD | {"trained_on": wrong})


def test_a_hostile_chain_of_models_before_is_refused_at_once():
    deep = '{"before": ' * 100_000 + "null" + "}" * 100_000
    text = ModelCard.model_validate(CARD | {"trained_on": ""}).model_dump_json()
    with pytest.raises(ValidationError):
        ModelCard.model_validate_json(text.replace('"trained_on":{', f'"trained_on":{deep},"x":{{'))
