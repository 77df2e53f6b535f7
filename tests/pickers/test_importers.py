import os
import pickle
import zipfile
from contextlib import suppress
from functools import partial

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import ModelError
from cryopick_ray.pickers.importers import import_topaz, open_model
from cryopick_ray.pickers.topaz.networks import TopazNetwork
from cryopick_ray.pickers.weights import load_model, restore, save_model

TO_TOPAZ = {
    ".first.": ".conv0.",
    ".second.": ".conv1.",
    ".project.": ".proj.",
    "layers.": "features.features.",
}


def topaz_state(architecture: str = "topaz-resnet8", units: int = 2) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    state = {}
    for key, tensor in TopazNetwork(architecture, units).state_dict().items():
        for ours, theirs in TO_TOPAZ.items():
            key = key.replace(ours, theirs)
        state[key] = tensor
    return state


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet8_u32", 328_801),
        ("resnet8_u64", 1_310_913),
        ("resnet16_u32", 458_145),
        ("resnet16_u64", 1_827_649),
    ],
)
def test_shipped_weights_are_read(topaz_weights, name, parameters):
    state, card = open_model(topaz_weights / f"{name}.sav")
    architecture, units = name.split("_u")
    assert (card.architecture, card.parameters) == (f"topaz-{architecture}", {"units": int(units)})
    assert card.particle_px == 24
    assert "GPL-3.0" in card.licence
    assert sum(tensor.numel() for tensor in state.values()) == parameters


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("architecture", ["topaz-resnet8", "topaz-resnet16"])
def test_a_state_dict_is_recognised(tmp_path, architecture, zipped):
    path = tmp_path / "mine.pt"
    torch.save(topaz_state(architecture, 3), path, _use_new_zipfile_serialization=zipped)
    state, card = open_model(path)
    assert (card.architecture, card.parameters) == (architecture, {"units": 3})
    assert sorted(map(tuple, (t.shape for t in state.values()))) == sorted(
        map(tuple, (t.shape for t in topaz_state(architecture, 3).values()))
    )
    restore(partial(TopazNetwork, architecture, 3), state, "mine")


def test_an_imported_model_survives_our_own_format(tmp_path):
    torch.save(topaz_state(), tmp_path / "mine.pth")
    state, card = open_model(tmp_path / "mine.pth")
    save_model(tmp_path / "mine.safetensors", state, card)
    again, card_again = open_model(tmp_path / "mine.safetensors")
    assert card_again == card == load_model(tmp_path / "mine.safetensors")[1]
    assert all(torch.equal(again[key], state[key]) for key in state)


class Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


@pytest.mark.parametrize("how", ["pickle", "torch", "legacy", "in a state dict"])
def test_code_in_a_file_does_not_run(tmp_path, how):
    path, marker = tmp_path / "evil.sav", tmp_path / "marker"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Evil(marker)))
    elif how == "in a state dict":
        torch.save(topaz_state() | {"extra": Evil(marker)}, path)
    else:
        torch.save(Evil(marker), path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(ModelError, match=r"evil\.sav: .*(code|not a PyTorch)"):
        import_topaz(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Evil(marker)))  # the trap itself works
    assert marker.exists()


def test_a_pickled_module_is_refused_by_its_class(tmp_path):
    torch.save(TopazNetwork("topaz-resnet8", 2), tmp_path / "module.sav")
    with pytest.raises(ModelError, match=r"module\.sav: holds code \(.*TopazNetwork\)"):
        import_topaz(tmp_path / "module.sav")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "of nothing"),
        ([torch.zeros(2)], "list"),
        (torch.zeros(2), "Tensor"),
        ({"a": 3}, "'a' is a int"),
        ({3: torch.zeros(2)}, "3 is a Tensor"),
        ({"a": torch.zeros(2)}, "'a' is not of Topaz"),
        ({"a": torch.eye(3).to_sparse()}, "'a' is a Tensor"),
        ({"classifier.bias": torch.zeros(1)}, "0 layers"),
        (topaz_state("topaz-conv3"), "not of Topaz"),
        (topaz_state() | {"classifier.extra": torch.zeros(1)}, "'classifier.extra'"),
        (topaz_state() | {"classifier.bias": torch.zeros(7)}, "classifier.bias"),
        (topaz_state() | {"classifier.bias": torch.zeros(1).long()}, "int64"),
        (topaz_state() | {"features.features.0.conv.weight": torch.zeros(())}, "layers"),
        (topaz_state() | {"features.features.0.conv.weight": torch.zeros(0, 1, 7, 7)}, "0 units"),
        (topaz_state() | {"features.features.9.conv.bias": torch.zeros(2)}, "6 layers"),
        (topaz_state() | {"classifier.bias": torch.full((1,), torch.inf)}, "infinite"),
        ({k: v for k, v in topaz_state().items() if "proj" not in k}, "lacks"),
        ({"classifier.bias": torch.zeros(1).expand(10**12)}, "claims 4000000000000 bytes"),
    ],
)
def test_anything_else_is_refused_with_what_it_is(tmp_path, found, message):
    torch.save(found, tmp_path / "other.pt")
    with pytest.raises(ModelError, match=rf"other\.pt: .*{message}"):
        import_topaz(tmp_path / "other.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_cut_and_garbled_files_are_refused(tmp_path, zipped):
    path = tmp_path / "cut.pt"
    torch.save(topaz_state(), path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    for broken in (
        b"",
        b"x",
        b"\x80\x02.",
        bytes(range(256)) * 4,
        content[:50],
        content[:-9],
        content[: len(content) // 2],
    ):
        path.write_bytes(broken)
        with pytest.raises(ModelError, match=r"cut\.pt"):
            import_topaz(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(zipped=st.booleans(), position=st.integers(0, 6000), from_end=st.booleans(), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_harmless(tmp_path, zipped, position, from_end, byte):
    path = tmp_path / "changed.pt"
    torch.save(topaz_state(), path, _use_new_zipfile_serialization=zipped)
    content = bytearray(path.read_bytes())
    content[-1 - position if from_end else position] = byte
    path.write_bytes(content)
    with suppress(ModelError):
        state, card = import_topaz(path)
        restore(partial(TopazNetwork, card.architecture, card.parameters["units"]), state, "changed")


def test_an_archive_that_unpacks_to_more_than_it_holds_is_refused(tmp_path):
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(10**7))
    with pytest.raises(ModelError, match=r"bomb\.pt: .*unpack"):
        import_topaz(path)


def test_a_file_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.sav"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ModelError, match=r"large\.sav: 1099511627776 bytes"):
        import_topaz(path)


def test_unknown_and_missing_files_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"m\.h5: .*\.safetensors, \.sav, \.pt, \.pth"):
        open_model(tmp_path / "m.h5")
    with pytest.raises(ModelError, match=r"none\.sav: cannot be read"):
        open_model(tmp_path / "none.sav")
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(ModelError, match=r"folder\.pt: not a file"):
        open_model(tmp_path / "folder.pt")


def test_a_part_that_is_marked_as_a_folder_is_no_tensor(tmp_path):
    torch.save(topaz_state(), tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as whole, zipfile.ZipFile(tmp_path / "m.pt", "w") as marked:
        for entry in whole.infolist():
            content = whole.read(entry)
            entry.external_attr = 0x10 * entry.filename.endswith("data/0")
            marked.writestr(entry, content)
    with pytest.raises(ModelError, match=r"m\.pt: .*data/0' is a folder"):
        open_model(tmp_path / "m.pt")
