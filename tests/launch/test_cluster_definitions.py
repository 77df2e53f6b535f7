"""Manifests against a cluster's own definitions."""

import copy

import pytest
import yaml

from cryopick_ray.errors import UsageError
from cryopick_ray.launch.check import check, read_crds
from cryopick_ray.launch.cluster_settings import cluster_settings
from cryopick_ray.launch.render import render


def rendered(config):
    return render(cluster_settings(config))


def definition(kind, spec):
    """Return a custom resource definition as Kubernetes prints it."""
    schema = {
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
        },
    }
    return {
        "spec": {"names": {"kind": kind}, "versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}
    }


def definitions(spec):
    return {"kind": "List", "items": [definition(kind, spec) for kind in ("RayJob", "RayCluster")]}


def test_manifests_are_checked_against_the_clusters_own_definitions(tmp_path, configs):
    files = rendered(configs["kuberay"])
    crds = tmp_path / "crds.yaml"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    crds.write_text(yaml.safe_dump(definitions(anything)))
    assert check("kuberay", files, crds) == []
    old = {"type": "object", "properties": {"rayVersion": {"type": "string"}}}
    crds.write_text(yaml.safe_dump(definitions(old)))
    found = check("kuberay", files, crds)
    assert any("rayjob.yaml" in one and "entrypoint" in one for one in found)
    assert any("raycluster.yaml" in one and "authOptions" in one for one in found)
    number = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    wrong = copy.deepcopy(old)
    wrong["properties"] = dict.fromkeys(yaml.safe_load(files["raycluster.yaml"])["spec"], number)
    crds.write_text(yaml.safe_dump(definition("RayCluster", wrong)))
    found = check("kuberay", {"raycluster.yaml": files["raycluster.yaml"]}, crds)
    assert any("headGroupSpec" in one for one in found)
    assert not any("rayVersion" in one for one in found)


BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: 1",
        "[1, 2]",
        "x: [",
        "\x00",
        "!!python/object/apply:os.getcwd []",
        BOMB,
        "[" * 5000,
        "items: [1]",
    ],
)
def test_a_file_without_definitions_is_refused(tmp_path, text):
    (tmp_path / "crds.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"crds\.yaml"):
        read_crds(tmp_path / "crds.yaml")


def test_a_file_too_large_to_be_definitions_is_not_read(tmp_path):
    with (tmp_path / "crds.yaml").open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(UsageError, match="larger than 64 MiB"):
        read_crds(tmp_path / "crds.yaml")
    with pytest.raises(UsageError, match="cannot be read"):
        read_crds(tmp_path / "absent.yaml")


def test_a_definition_is_followed_to_no_other_place(tmp_path, configs):
    for schema in ({"$ref": "http://127.0.0.1:9/x"}, {"$ref": "file:///etc/passwd"}, {"type": "strange"}):
        crds = tmp_path / "crds.yaml"
        crds.write_text(yaml.safe_dump(definitions(schema)))
        with pytest.raises(UsageError, match="no schema"):
            check("kuberay", rendered(configs["kuberay"]), crds)


def test_parts_that_stand_for_parts_without_end_are_no_definition(tmp_path):
    shared = "a0: &a0 {type: object, properties: {x: {type: string}}}\n"
    shared += "".join(
        f"a{n}: &a{n} {{type: object, properties: {{x: *a{n - 1}, y: *a{n - 1}, z: *a{n - 1}}}}}\n"
        for n in range(1, 40)
    )
    crd = "spec: {names: {kind: RayJob}, versions: [{name: v1, schema: {openAPIV3Schema: *a39}}]}\n"
    (tmp_path / "crds.yaml").write_text(shared + crd)
    with pytest.raises(UsageError, match="no custom resource definitions"):
        read_crds(tmp_path / "crds.yaml")
