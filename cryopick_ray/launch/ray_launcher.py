"""Validation of a cluster-launcher file by Ray."""

from copy import deepcopy
from typing import Any

from jsonschema import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config


def launcher_complaint(config: Any) -> str:
    """Return the error of ``ray up`` for ``config`` before it contacts the cloud; empty if none."""
    try:
        validate_config(prepare_config(deepcopy(config)))
    except ValidationError as error:
        return f"{error.json_path}: {error.message[:300]}"
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return ""
