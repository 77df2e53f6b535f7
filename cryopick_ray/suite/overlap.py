"""What a model was trained on -> whether it has seen what it is asked to find."""

NOT_SAID = "not recorded"


def overlap(trained_on: str | None, dataset: str, molecule: str | None) -> str:
    """Return how a model's training meets a data set, in words for the table; empty if it does not.

    Training names its data sets, simulated ones after their molecule, at most with something added
    (``MOLECULE-NAME``).

    Parameters
    ----------
    trained_on
        Of the model's card: names of data sets, a colon, and how much of them; ``None`` for a picker
        that learns nothing.
    dataset
        The data set's name.
    molecule
        Name of the built-in molecule that it is, if known.
    """
    if trained_on is None:
        return ""
    listed, colon, _ = trained_on.partition(":")
    if not colon:
        return NOT_SAID
    names = [name.strip() for name in listed.split(",")]
    if dataset in names and dataset != molecule:  # simulated ones of other seeds have one name
        return "this data set"
    same = [name for name in names if molecule and (name == molecule or name.startswith(f"{molecule}-"))]
    return f"its molecule ({', '.join(same)})" if same else ""
