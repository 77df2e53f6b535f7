"""Which networks there are: those of this package, and those that other installed packages add.

A package adds one by an entry point whose name is the network's and whose object is its record::

    [project.entry-points."cryopick_ray.networks"]
    mine = "my_package.record:RECORD"

Its code is imported when its network is asked for or listed, not before.
"""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers.cryolo.record import RECORD as CRYOLO
from cryopick_ray.pickers.deepem.record import RECORD as DEEPEM
from cryopick_ray.pickers.deeppicker.record import RECORD as DEEPPICKER
from cryopick_ray.pickers.filament.record import RECORD as FILAMENT
from cryopick_ray.pickers.heatmap.record import RECORD as HEATMAP
from cryopick_ray.pickers.record import Network, TrainingDefaults
from cryopick_ray.pickers.template.record import RECORD as TEMPLATE
from cryopick_ray.pickers.topaz.record import RECORD as TOPAZ

GROUP = "cryopick_ray.networks"
BUILT_IN = {one.name: one for one in (HEATMAP, CRYOLO, TOPAZ, DEEPPICKER, DEEPEM, FILAMENT, TEMPLATE)}

LEARNING = tuple(name for name, one in BUILT_IN.items() if one.training)
"""Networks of this package that can be taught."""


def find_network(name: str) -> Network:
    """Return the record of a network; one of this package cannot be replaced.

    Raises
    ------
    ModelError
        If there is none of that name, two packages give it to theirs, or the package is broken.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    found = [one for one in _added() if one.name == name]
    if not found:
        raise ModelError(f"there is no network {name!r}; expected one of {', '.join(network_names())}")
    if len(found) > 1:
        raise ModelError(
            f"the network {name} is one of {' and one of '.join(map(_package, found))}; uninstall all but one"
        )
    return _load(found[0])


def find_training(name: str) -> TrainingDefaults:
    """Return how a network is taught.

    Raises
    ------
    UsageError
        If there is no such network, or it learns nothing.
    ModelError
        If its package is broken.
    """
    if name not in network_names() or (found := find_network(name).training) is None:
        allowed = ", ".join(
            network_name
            for network_name in network_names()
            if network_name not in BUILT_IN or network_name in LEARNING
        )
        raise UsageError(f"there is no network {name!r} to train; expected one of {allowed}")
    return found


def network_names() -> list[str]:
    """Return the names of all networks; those of other packages as they call themselves, unread."""
    return list(dict.fromkeys([*BUILT_IN, *(one.name for one in _added())]))


def list_networks() -> tuple[list[Network], list[str]]:
    """Return the networks that can be used, and what is wrong with those that cannot."""
    added = _added()
    found, wrong = list(BUILT_IN.values()), _taken(added)
    for name in dict.fromkeys(one.name for one in added if one.name not in BUILT_IN):
        try:
            found.append(find_network(name))
        except ModelError as error:
            wrong.append(str(error))
    return found, wrong


def _added() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda entry_point: (entry_point.name, entry_point.value))


def _taken(added: Iterable[EntryPoint]) -> list[str]:
    return [
        f"the network {one.name} of {_package(one)} is left out: the name is taken by cryopick-ray's own; "
        "it must have another"
        for one in added
        if one.name in BUILT_IN
    ]


def _load(entry: EntryPoint) -> Network:
    """Return the record that an entry point names."""
    said = f"the network {entry.name} of {_package(entry)} cannot be used"
    try:
        record = entry.load()
    except Exception as error:
        raise ModelError(f"{said}: {entry.value}: {type(error).__name__}: {error}") from error
    if not isinstance(record, Network):
        raise ModelError(f"{said}: {entry.value} is a {type(record).__name__}; expected a record.Network")
    if record.name != entry.name:
        raise ModelError(f"{said}: its record is of {record.name!r}; the two names must be one")
    return record


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
