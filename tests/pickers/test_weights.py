import json
import os
import struct
from datetime import date

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cryopick_ray.errors import ModelError
from cryopick_ray.pickers.topaz.networks import TopazNetwork
from cryopick_ray.pickers.weights import (
    MAX_CARD_BYTES,
    ModelCard,
    load_model,
    restore,
    save_model,
    weights_digest,
)


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "b.weight": torch.randn(3, 2, 5, generator=generator),
        "a.steps": torch.tensor(7),
        "a.half": torch.randn(4, generator=generator).bfloat16(),
        "a.none": torch.empty(0, 3),
    }


def card_of(state, **changes) -> ModelCard:
    fields = {
        "name": "tiny",
        "architecture": "topaz-conv3",
        "parameters": {"units": 2},
        "particle_px": 20.0,
        "normalisation": "topaz-gmm",
        "trained_on": "nothing",
        "licence": "CC0-1.0",
        "source": "a test",
        "date": date(2026, 1, 2),
        "scores": {"auprc": 0.5},
        "digest": weights_digest(state),
    }
    return ModelCard.model_validate(fields | changes)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_model(path, tensors(), card_of(tensors()))
    return path


def test_a_model_comes_back_whole(path):
    state, card = load_model(path)
    assert card == card_of(tensors())
    assert state.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert state[name].dtype == tensor.dtype
        assert torch.equal(state[name], tensor)


def test_weights_kept_in_half_precision_are_widened(tmp_path):
    """At half the size; every number is the nearest of its kind, and the digest is that of the file."""
    network = TopazNetwork("topaz-conv3", 2)
    state = network.state_dict()
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    save_model(tmp_path / "whole.safetensors", state, card_of(state))
    save_model(tmp_path / "half.safetensors", half, card_of(half))
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "whole")]
    assert sizes[0] < 0.75 * sizes[1]
    kept, card = load_model(tmp_path / "half.safetensors")
    assert card.digest == weights_digest(half)
    found = restore(lambda: TopazNetwork("topaz-conv3", 2), kept, "half").state_dict()
    for name, tensor in state.items():
        assert found[name].dtype == tensor.dtype
        torch.testing.assert_close(found[name], tensor, rtol=2**-11, atol=1e-7)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64, torch.int64])
def test_weights_of_another_type_are_refused(kind):
    state = TopazNetwork("topaz-conv3", 2).state_dict()
    name = "classifier.weight"
    with pytest.raises(ModelError, match=name):
        restore(lambda: TopazNetwork("topaz-conv3", 2), {**state, name: state[name].to(kind)}, "odd")


def test_counters_are_not_widened():
    state = TopazNetwork("topaz-conv3", 2).state_dict()
    (name, *_) = [name for name, tensor in state.items() if not tensor.is_floating_point()]
    with pytest.raises(ModelError, match=name):
        restore(lambda: TopazNetwork("topaz-conv3", 2), {**state, name: state[name].half()}, "odd")


def test_a_card_of_before_says_nothing_of_its_training(path):
    written = path.with_suffix(".json")
    card = json.loads(written.read_text())
    told = {name: card.pop(name) for name in ("training_seconds", "device", "limits")}
    assert told == {"training_seconds": None, "device": "", "limits": ""}
    written.write_text(json.dumps(card))
    assert load_model(path)[1].model_dump(mode="json") == card | told


def test_a_model_is_two_files_and_nothing_else(path):
    assert sorted(file.name for file in path.parent.iterdir()) == ["tiny.json", "tiny.safetensors"]


@given(st.permutations(sorted(tensors())))
def test_the_digest_does_not_know_the_order(names):
    assert weights_digest({name: tensors()[name] for name in names}) == weights_digest(tensors())


def test_the_digest_knows_names_types_shapes_and_values():
    base = {"a": torch.zeros(2, 3)}
    others = [
        {"b": torch.zeros(2, 3)},
        {"a": torch.zeros(2, 3, dtype=torch.int32)},
        {"a": torch.zeros(3, 2)},
        {"a": torch.full((2, 3), -0.0)},
        {"a": torch.zeros(2, 3), "b": torch.zeros(0)},
    ]
    assert len({weights_digest(state) for state in [base, *others]}) == 6


def test_a_view_is_saved_as_it_looks(tmp_path):
    state = {"a": torch.arange(6.0).reshape(2, 3).T}
    save_model(tmp_path / "view.safetensors", state, card_of(state))
    assert torch.equal(load_model(tmp_path / "view.safetensors")[0]["a"], state["a"])


def test_every_changed_byte_of_the_weights_is_noticed(path):
    content = path.read_bytes()
    for position in range(0, len(content), 13):
        broken = bytearray(content)
        broken[position] ^= 0x41
        path.write_bytes(broken)
        with pytest.raises(ModelError, match=r"tiny\.safetensors"):
            load_model(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        b"garbage that is longer than a header",
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 69)
        + b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}}   '
        + bytes(4),
    ],
    ids=["empty", "short", "garbage", "huge header", "no tensors", "huge tensor"],
)
def test_broken_weights_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"tiny\.safetensors"):
        load_model(path)


def test_truncated_weights_are_refused(path):
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="damaged"):
        load_model(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "colour"),
        ({"name": "../../etc"}, "name"),
        ({"particle_px": 0}, "particle_px"),
        ({"particle_px": "NaN"}, "particle_px"),
        ({"digest": "0" * 64}, "digest"),
        ({"digest": "short"}, "digest"),
        ({"parameters": {"units": "many"}}, r"parameters\.units"),
    ],
)
def test_a_card_that_is_wrong_is_refused(path, change, message):
    card = path.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | change))
    with pytest.raises(ModelError, match=rf"tiny\..*{message}"):
        load_model(path)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b"{", b"[" * 10_000, b" " * (MAX_CARD_BYTES + 1)]
)
def test_a_card_that_is_none_is_refused(path, content):
    path.with_suffix(".json").write_bytes(content)
    with pytest.raises(ModelError, match=r"tiny\.json"):
        load_model(path)


def test_missing_files_are_named(path):
    path.with_suffix(".json").rename(path.with_suffix(".gone"))
    with pytest.raises(ModelError, match=r"tiny\.json: cannot be read"):
        load_model(path)
    path.with_suffix(".gone").rename(path.with_suffix(".json"))
    path.unlink()
    with pytest.raises(ModelError, match=r"tiny\.safetensors: cannot be read"):
        load_model(path)


def test_nothing_wrong_is_written(tmp_path):
    with pytest.raises(ModelError, match=r"\.safetensors"):
        save_model(tmp_path / "m.pt", tensors(), card_of(tensors()))
    with pytest.raises(ModelError, match="other weights"):
        save_model(tmp_path / "m.safetensors", tensors(1), card_of(tensors()))
    assert list(tmp_path.iterdir()) == []


def test_a_save_that_fails_leaves_the_old_model(path, monkeypatch):
    def full_disk(source, target):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_model(path, tensors(1), card_of(tensors(1)))
    assert load_model(path)[1] == card_of(tensors())
    assert len(list(path.parent.iterdir())) == 2


def test_a_card_cannot_be_changed():
    with pytest.raises(ValidationError):
        card_of(tensors()).name = "other"
