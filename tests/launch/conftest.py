"""Configurations that a test may change."""

from copy import deepcopy

import pytest
from cluster_configs import CONFIGS


@pytest.fixture(params=CONFIGS)
def config(request):
    return deepcopy(CONFIGS[request.param])


@pytest.fixture
def configs():
    return deepcopy(CONFIGS)
