"""Paths in settings files, made to mean the same from any folder."""

from typing import Any


def rooted(data: dict[str, Any]) -> dict[str, Any]:
    """Return settings whose paths mean the same from any folder."""
    from cryopick_ray.settings.config import absolute_model

    sets = data.get("data")
    if isinstance(sets, list):
        data = data | {"data": [_rooted(one) if isinstance(one, dict) else one for one in sets]}
    groups = data.get("simulated")
    if isinstance(groups, list):
        data = data | {
            "simulated": [_with_files(group) if isinstance(group, dict) else group for group in groups]
        }
    networks = data.get("networks")
    if isinstance(networks, dict):
        own = {
            name: rooted(network) if isinstance(network, dict) else network
            for name, network in networks.items()
        }
        data = data | {"networks": own}
    if isinstance(data.get("start"), str):
        data = data | {"start": absolute_model(data["start"])}
    return data


def _with_files(group: dict[str, Any]) -> dict[str, Any]:
    from cryopick_ray.settings.config import absolute_model

    if not isinstance(names := group.get("molecules"), list):
        return group
    return group | {"molecules": [absolute_model(str(name)) for name in names]}


def _rooted(one: dict[str, Any]) -> dict[str, Any]:
    from cryopick_ray.settings.config import absolute

    paths: dict[str, Any] = {
        name: absolute(str(one[name])) for name in ("labels", "false_labels") if one.get(name)
    }
    if isinstance(bins := one.get("bins"), dict) and bins.get("values"):
        paths["bins"] = bins | {"values": absolute(str(bins["values"]))}
    if isinstance(others := one.get("annotators"), dict):
        paths["annotators"] = {name: absolute(str(folder)) for name, folder in others.items()}
    inputs = one.get("micrographs")
    if isinstance(inputs, str):
        inputs = [inputs]
    if isinstance(inputs, list):
        paths["micrographs"] = [absolute(str(text)) for text in inputs]
    return one | paths
