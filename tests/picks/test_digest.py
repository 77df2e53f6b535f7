import pytest

from cryopick_ray.picks.digest import CALIBRATED, THRESHOLD, sealed, settings_digest, unsealed

SETTINGS = {"model": "m", "diameter_A": 120.0}


@pytest.mark.parametrize("beside", [{}, {THRESHOLD: 0.4}, {THRESHOLD: None, CALIBRATED: True}])
def test_what_decides_no_pick_is_kept_and_not_in_the_digest(beside):
    digest = settings_digest(SETTINGS)
    assert unsealed(sealed(SETTINGS | beside), digest) == SETTINGS | beside
    with pytest.raises(ValueError, match="content is not what was written"):
        unsealed(sealed(SETTINGS | beside).replace(b"120.0", b"121.0"), digest)
    with pytest.raises(ValueError, match="its settings have the digest"):
        unsealed(sealed(SETTINGS | beside | {"diameter_A": 121.0}), digest)


def test_that_scores_are_calibrated_is_not_believed_of_a_changed_file():
    data = sealed(SETTINGS | {CALIBRATED: False}).replace(b"false", b"true")
    with pytest.raises(ValueError, match="content is not what was written"):
        unsealed(data, settings_digest(SETTINGS))
