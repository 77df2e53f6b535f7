import numpy as np
import pytest
import torch

from cryopick_ray.pickers.device.upload import Upload


def images(count, shape, dtype=np.float16, seed=0):
    return list(np.random.default_rng(seed).normal(size=(count, *shape)).astype(dtype))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("count", [1, 3])
def test_images_arrive_as_one_float32_batch(count, dtype):
    given = images(count, (31, 20), dtype)
    batch = Upload(torch.device("cpu"))(given)
    assert batch.dtype == torch.float32
    np.testing.assert_array_equal(batch.numpy(), np.stack(given).astype(np.float32))


def test_a_batch_is_its_own_memory():
    given = images(2, (8, 9), np.float32)
    upload = Upload(torch.device("cpu"))
    first = upload(given)
    expected = first.clone()
    given[0][:] = 7
    upload(images(2, (8, 9), np.float32, seed=1))
    torch.testing.assert_close(first, expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    "mixed",
    [
        [],
        images(1, (8, 9)) + images(1, (1, 9)),
        images(1, (8, 9)) + images(1, (8, 9), np.float32),
    ],
)
def test_images_of_unlike_shape_or_type_are_refused(mixed):
    with pytest.raises(ValueError, match="unpack"):
        Upload(torch.device("cpu"))(mixed)


@pytest.mark.gpu
def test_buffers_that_take_turns_mix_nothing_up():
    upload = Upload(torch.device("cuda"))
    given = [
        images(n, shape, seed=n) for n, shape in [(2, (700, 900)), (5, (512, 512)), (1, (2000, 2000))] * 6
    ]
    busy = torch.randn(4096, 4096, device="cuda")
    batches = []
    for some in given:
        busy = busy @ busy * 1e-3  # the copies run beside work that is under way
        batches.append(upload(some) + 0)
    for some, batch in zip(given, batches, strict=True):
        np.testing.assert_array_equal(batch.cpu().numpy(), np.stack(some).astype(np.float32))
