"""What a model was trained on -> whether it has seen what it is asked to find."""

from cryopick_ray.pickers.provenance import Provenance

NOT_SAID = "not recorded"


def leakage(trained_on: Provenance | None, dataset: str, molecule: str | None) -> str:
    """Return how a model's training meets a data set, in words for the table; empty if it does not.

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
    sets = [one for training in trainings for one in training.sets or ()]
    if dataset != molecule and any(one.dataset == dataset for one in sets):
        return "this data set"  # simulated ones of other seeds are all called after their molecule
    if same := dict.fromkeys(one.dataset for one in sets if molecule and one.molecule == molecule):
        return f"its molecule ({', '.join(same)})"
    return NOT_SAID if any(training.sets is None for training in trainings) else ""
