"""Working below the frame's resolution, and in tiles."""

import cv2
import numpy as np
import pytest
import torch

from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.engine.filters import box_mean
from dig2dig_ros.engine.resolution import GUIDED_EPSILON, GUIDED_WINDOW, WorkingSize
from dig2dig_ros.engine.tiling import BoundedPrior
from dig2dig_ros.prior import load_prior

CPU = torch.device('cpu')


def test_half_scale_keeps_full_resolution_detail(smoothing_prior, scene):
    visible = scene[1][..., 1]
    fused = [FusionEngine(smoothing_prior, CPU, FusionSettings(
        mode='one-pass', scale=scale, precision='fp32')).fuse([scene[0], visible])
        for scale in (1.0, 0.5)]
    detail = [cv2.Laplacian(result.image, cv2.CV_32F).std() for result in fused]
    assert detail[1] == pytest.approx(detail[0], rel=0.2)
    assert np.abs(fused[0].image.astype(int) - fused[1].image).mean() < 8
    assert fused[1].weights.sum(axis=0) == pytest.approx(1, abs=1e-5)


def test_scale_makes_the_network_see_fewer_pixels(smoothing_prior, scene):
    seen = []
    original = smoothing_prior.forward
    smoothing_prior.forward = lambda x, t: (seen.append(x.shape[-2:]), original(x, t))[1]
    FusionEngine(smoothing_prior, CPU, FusionSettings(
        mode='one-pass', scale=0.5, precision='fp32')).fuse(scene)
    assert set(seen) == {(48, 64)}


def test_sources_without_pixels_stay_without_weight_below_scale_1(smoothing_prior, scene):
    covered = np.ones((96, 128), bool)
    covered[:, 101:] = False
    result = FusionEngine(smoothing_prior, CPU, FusionSettings(
        mode='one-pass', scale=0.5, precision='fp32')).fuse(
            [scene[0], scene[1]], [covered, None])
    assert (result.weights[0][:, 101:] == 0).all()


def test_tiles_give_what_the_whole_image_gives():
    prior = load_prior(None, CPU)
    bounded = BoundedPrior(prior, max_pixels=512 * 512)
    generator = torch.Generator().manual_seed(0)
    noised = torch.randn(2, 1, 768, 1024, generator=generator)
    timesteps = torch.tensor([200, 30])
    with torch.inference_mode():
        whole = prior(noised, timesteps)
        seen = []
        prior.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].numel()))
        tiled = bounded(noised, timesteps)
    assert len(seen) > 2
    assert max(seen) <= 512 * 512
    torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=0)


def test_batches_are_split_before_images_are(smoothing_prior):
    bounded = BoundedPrior(smoothing_prior, max_pixels=3 * 64 * 64)
    bounded(torch.zeros(8, 1, 64, 64), torch.arange(8))
    assert smoothing_prior.batches == [[0, 1, 2], [3, 4, 5], [6, 7]]


@pytest.mark.parametrize('count', [2, 3])
def test_weights_come_up_by_the_guided_filter_as_published(count):
    """He and Sun 2015, equations 2 to 5, each map by itself: a = cov(I, p) / (var(I) + eps)."""
    generator = torch.Generator().manual_seed(0)
    low, full = (torch.rand(count, height, 2 * height, generator=generator)
                 for height in (48, 96))
    maps = torch.softmax(3 * torch.rand(count, 48, 96, generator=generator), dim=0)
    guide, mean = low.mean(dim=0), lambda values: box_mean(values, GUIDED_WINDOW)
    expected = []
    for one in maps:
        slope = (mean(guide * one) - mean(guide) * mean(one)) / (
            mean(guide ** 2) - mean(guide) ** 2 + GUIDED_EPSILON)
        slope, offset = (torch.nn.functional.interpolate(
            mean(values)[None, None], (96, 192), mode='bilinear')[0, 0]
            for values in (slope, mean(one) - slope * mean(guide)))
        expected.append(slope * full.mean(dim=0) + offset)
    found = WorkingSize(96, 192, 0.5, 16)._guided(maps, low, full)
    torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=2e-5)
