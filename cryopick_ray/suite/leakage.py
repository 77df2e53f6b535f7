"""Data leakage: whether a model was trained on a data set or on its molecule."""

from cryopick_ray.pickers.provenance import Provenance

NOT_SAID = "not recorded"


def leakage(trained_on: Provenance | None, dataset: str, molecule: str | None) -> str:
    """Return the overlap of a model's training data with a data set, in words for the table; empty for none.

    Parameters
    ----------
    trained_on
        Of the model's card; ``None`` for a picker that learns nothing.
    dataset
        The data set's name.
    molecule
        Name of the built-in molecule that it is, if known.
    """
    if trained_on is None:
        return ""
    trainings = list(trained_on.trainings())
    sets = [learnt for training in trainings for learnt in training.sets or ()]
    if dataset != molecule and any(learnt.dataset == dataset for learnt in sets):
        return "this data set"  # simulated ones of other seeds are all called after their molecule
    if same := dict.fromkeys(learnt.dataset for learnt in sets if molecule and learnt.molecule == molecule):
        return f"its molecule ({', '.join(same)})"
    return NOT_SAID if any(training.sets is None for training in trainings) else ""
