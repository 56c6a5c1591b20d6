"""The GPU path against the CPU's; every test needs a CUDA device."""

import pytest
import torch
from cuda_checks import checks

CHECKS = dict(checks())

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason='torch sees no CUDA device on this machine')


@pytest.mark.parametrize('name', CHECKS)
def test_on_the_gpu(scene, name):
    CHECKS[name]('cuda', scene)
