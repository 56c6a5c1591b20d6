"""The guides against DDFM's public code, against their derivations, and at their limits."""

import pytest
import torch

from dig2dig_ros.engine.guidance import EmGuide, PullGuide, ReweightedGuide, make_guide
from dig2dig_ros.errors import InputError
from dig2dig_ros.settings import FusionSettings


def waves(phase, height=32, width=48):
    """A smooth test image that any program can make again."""
    rows = torch.arange(height, dtype=torch.float64)[:, None]
    columns = torch.arange(width, dtype=torch.float64)
    return (0.9 * torch.sin(0.37 * rows + 0.11 * columns * (1 + phase) + phase)).float()


# Mean, standard deviation and pixels (0, 0), (13, 29), (31, 47) of what DDFM's published
# EM_onestep (lambda 0.5, rho 0.01) returned for waves(0.3), waves(1.7) and the estimates
# waves(0.5), waves(0.9), ... in four steps that carry its state.
PUBLISHED = [
    [0.003891, 0.521739, 0.726976, 0.358783, 0.062921],
    [-0.001793, 0.512736, 0.474983, 0.367991, 0.700792],
    [-0.007675, 0.49923, 0.474875, 0.265709, 0.748485],
    [-0.001747, 0.466821, 0.474866, 0.265827, 0.062638],
]


def test_mirrored_em_step_with_uniform_weights_is_ddfms_public_code():
    sources = torch.stack([waves(0.3), waves(1.7)])
    guide = EmGuide(sources, mirrored=True)
    uniform = torch.full_like(sources, 0.5)
    for step, published in enumerate(PUBLISHED):
        x0 = guide(waves(0.5 + 0.4 * step), uniform)
        ours = [x0.mean(), x0.std(), x0[0, 0], x0[13, 29], x0[31, 47]]
        assert [float(value) for value in ours] == pytest.approx(published, abs=2e-6)


def test_derived_and_mirrored_solutions_mirror_each_other():
    sources = torch.stack([waves(0.3), waves(1.7)])
    derived, mirrored = EmGuide(sources, mirrored=False), EmGuide(sources, mirrored=True)
    uniform = torch.full_like(sources, 0.5)
    for step in range(3):
        estimate = waves(0.2 * step)
        torch.testing.assert_close(
            derived(estimate, uniform) + mirrored(estimate, uniform), sources.sum(dim=0))


@pytest.mark.parametrize('guidance', ['em', 'plain'])
def test_full_weight_on_a_source_brings_the_estimate_to_it(guidance):
    sources = torch.stack([waves(0.3), waves(1.7)])
    settings = FusionSettings(guidance=guidance, strength=1.0)
    weights = torch.stack([torch.ones(32, 48), torch.zeros(32, 48)])
    guide = make_guide(settings, sources, ladder=sources[0])
    x0 = guide(waves(0.9), weights)
    assert (x0 - sources[0]).abs().mean() < 0.02


def test_more_weight_on_a_source_moves_the_derived_step_towards_it():
    sources = torch.stack([waves(0.3), waves(1.7)])
    estimate = sources.mean(dim=0)

    def distance(share):
        weights = torch.stack([torch.full((32, 48), share), torch.full((32, 48), 1 - share)])
        return (EmGuide(sources, mirrored=False)(estimate, weights) - sources[0]).abs().mean()

    assert distance(0.9) < distance(0.5) < distance(0.1)


def test_reweighting_is_the_weighted_mean_where_all_residuals_are_equal():
    sources = torch.stack([torch.full((16, 16), value) for value in (-0.5, 0.5)])
    weights = torch.stack([torch.full((16, 16), 0.75), torch.full((16, 16), 0.25)])
    x0 = ReweightedGuide(sources)(torch.zeros(16, 16), weights)
    # p_k = 1 / 0.5; (2 * 0.75 * 2 * -0.5 + 2 * 0.25 * 2 * 0.5 + 0.01 h) / (4 + 0.01)
    assert x0[8, 8].item() == pytest.approx(-0.25, abs=2e-3)


def test_reweighting_sticks_to_the_source_that_the_estimate_agrees_with():
    sources = torch.stack([torch.full((8, 8), value) for value in (-0.8, 0.1, 0.9)])
    x0 = ReweightedGuide(sources)(torch.full((8, 8), 0.1), torch.full_like(sources, 1 / 3))
    assert x0.numpy() == pytest.approx(0.1, abs=5e-3)


def test_pull_goes_its_share_of_the_way():
    sources = torch.stack([torch.ones(4, 4), torch.zeros(4, 4)])
    weights = torch.full_like(sources, 0.5)
    assert PullGuide(0.25, sources)(torch.zeros(4, 4), weights).unique().item() == 0.125
    target = torch.full((4, 4), -1.0)
    assert PullGuide(0.25, sources, target)(torch.zeros(4, 4), weights).unique().item() == -0.25


def test_ddfm_is_refused_for_other_than_two_sources():
    sources = torch.zeros(3, 8, 8)
    with pytest.raises(InputError, match='two sources, not 3; use em'):
        make_guide(FusionSettings(guidance='ddfm'), sources, sources[0])
