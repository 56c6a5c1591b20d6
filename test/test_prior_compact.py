"""The compact priors: contract, preconditioning, receptive field, precision, embedded weights."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dig2dig_ros.engine.tiling import BoundedPrior
from dig2dig_ros.prior import load_prior, openvino_network
from dig2dig_ros.prior.architecture import SIZES, Architecture
from dig2dig_ros.prior.base import Prior
from dig2dig_ros.prior.checkpoint import EMBEDDED
from dig2dig_ros.prior.compact import (
    CompactNetwork,
    DepthwiseBlock,
    in_parts,
    input_levels,
    preconditioning,
    seeded,
)
from dig2dig_ros.prior.noise_schedule import alpha_bar_table
from dig2dig_ros.prior.openvino_network import OpenVinoNetwork
from dig2dig_ros.prior.training import denoising_psnr

WEIGHTS = Path(__file__).parents[1] / 'dig2dig_ros' / 'prior' / 'weights'
TINY = Architecture(channels=8, multipliers=(1, 2), blocks=(1, 1))
DEPTHWISE = Architecture(channels=8, multipliers=(1, 2), blocks=(1, 1), kernel=5, stem=2)
BOTH = pytest.mark.parametrize('architecture', [TINY, DEPTHWISE], ids=['full', 'depthwise'])
CPU = torch.device('cpu')


def rendered_scene(height: int = 256, width: int = 320) -> np.ndarray:
    """A street-like picture: sky, buildings with windows, a textured road, a round target."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    image = 190 - 60 * rows / height + 10 * np.sin(columns / 40)
    for index, left in enumerate(range(0, width, 64)):
        top = height // 4 + 17 * (index % 3)
        image[top:height * 2 // 3, left + 6:left + 54] = 60 + 25 * (index % 4)
        image[top + 10:height * 2 // 3:16, left + 12:left + 48:9] = 220
    road = rows > height * 2 // 3
    image[road] = (95 + 12 * np.sin(rows * 0.45) * np.sin(columns * 0.3))[road]
    image = image.clip(0, 255).astype(np.uint8)
    cv2.circle(image, (width // 2, height * 3 // 4), 14, 245, -1, cv2.LINE_AA)
    cv2.line(image, (0, height - 1), (width // 2, height * 2 // 3), 230, 3, cv2.LINE_AA)
    return image


def randomised(architecture: Architecture) -> Prior:
    """Every weight random: seeded priors start with residual branches at zero."""
    prior = seeded(architecture, 1)
    generator = torch.Generator().manual_seed(2)
    for parameter in prior.parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 100
        parameter.data.normal_(0, fan_in ** -0.5, generator=generator)
    return prior.eval().requires_grad_(False)


def noised_scene(steps: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    clean = torch.from_numpy(rendered_scene(128, 160)).float()[None, None] / 127.5 - 1
    noise = torch.randn(len(steps), 1, 128, 160, generator=torch.Generator().manual_seed(0))
    timesteps = torch.tensor(steps)
    signal = alpha_bar_table()[timesteps].float()[:, None, None, None]
    return signal.sqrt() * clean + (1 - signal).sqrt() * noise, timesteps


@BOTH
def test_forward_keeps_the_contract(architecture):
    noised, timesteps = noised_scene([0, 300, 999])
    restored = randomised(architecture)(noised, timesteps)
    assert restored.shape == noised.shape
    assert restored.dtype == torch.float32
    assert restored.abs().max() <= 1


def test_each_image_of_a_batch_gets_its_own_timestep():
    prior = randomised(TINY)
    noised, timesteps = noised_scene([5, 80, 700])
    together = prior(noised, timesteps)
    alone = torch.cat([prior(noised[i:i + 1], timesteps[i:i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_input_has_unit_variance_and_the_skip_is_the_best_linear_guess():
    """For data of standard deviation 0.5 (EDM, appendix B.6)."""
    c_in, c_skip = preconditioning().double().unbind(1)
    signal, power = alpha_bar_table(), 0.5 ** 2
    ones = torch.ones(1000, dtype=torch.float64)
    torch.testing.assert_close(c_in ** 2 * (signal * power + 1 - signal), ones,
                               rtol=1e-5, atol=0)
    torch.testing.assert_close(c_skip * (signal * power + 1 - signal), power * signal.sqrt(),
                               rtol=1e-5, atol=1e-8)


def test_what_the_network_must_predict_has_the_standard_deviation_that_it_is_told():
    _, c_skip = preconditioning().double().unbind(1)
    signal, noise = alpha_bar_table(), input_levels().double()[:, 0]
    missing = ((1 - c_skip * signal.sqrt()) * 0.5) ** 2 + c_skip ** 2 * (1 - signal)
    torch.testing.assert_close(missing.sqrt() / 0.5, noise, rtol=1e-4, atol=0)


def test_levels_lie_on_a_circle_and_tell_all_timesteps_apart():
    told = input_levels()
    torch.testing.assert_close(told.square().sum(1), torch.ones(1000), rtol=0, atol=1e-6)
    assert (told[1:] - told[:-1]).norm(dim=1).min() > 1e-5


@pytest.mark.parametrize(('architecture', 'reach'), [
    # Head and tail 8 pixels, two blocks of two squares at full size, one at half: 40 a side.
    (TINY, 88),
    # Half a square less on either side.
    (DEPTHWISE, 84)])
def test_receptive_field_is_finite_as_stated(architecture, reach):
    prior = randomised(architecture)
    assert architecture.receptive_field == reach
    side = 2 * reach + 2 * architecture.multiple
    side += -side % architecture.multiple
    noised, timesteps = torch.randn(1, 1, side, side) * 0.1, torch.tensor([100])
    poked = noised.clone()
    poked[..., side // 2, side // 2] += 1
    rows, columns = torch.where((prior(noised, timesteps) != prior(poked, timesteps))[0, 0])
    for places in (rows, columns):
        assert (places - side // 2).abs().max() <= reach / 2
        assert (places - side // 2).abs().max() >= reach / 4


def test_tiles_of_a_depthwise_network_leave_no_seams():
    prior = randomised(DEPTHWISE)
    noised, timesteps = torch.randn(1, 1, 208, 256) * 0.2, torch.tensor([100])
    seen = []
    whole = prior(noised, timesteps)
    prior.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].numel()))
    tiled = BoundedPrior(prior, max_pixels=160 * 160)(noised, timesteps)
    assert len(seen) == 4 * 4  # of 64 pixels and 48 around: half the receptive field, in eights
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-5)


def reader(stem: int) -> CompactNetwork:
    """A network whose result is its first convolution's, the same in all pixels of a square."""
    network = CompactNetwork(Architecture(8, (1,), (0,), stem=stem)).requires_grad_(False)
    for parameter in network.parameters():
        parameter.zero_()
    network.tail.weight[:, 0, 1, 1] = 1
    return network


def each_way(network: CompactNetwork, image: torch.Tensor, told: torch.Tensor) -> list:
    """By torch, by OpenVINO where it is installed, and by both with the image in two planes."""
    results = []
    for in_two in (False, True):
        if in_two:
            network.take_parts()
            image, told = in_parts(image, torch.bfloat16), in_parts(told, torch.bfloat16)
        results.append(network(image, told))
        if openvino_network.can_run(torch.float32):
            results.append(OpenVinoNetwork(network, torch.float32)(image, told).clone())
    return results


# Pixels that the first convolution covers in the middle, at an edge, in a corner; levels alike.
@pytest.mark.parametrize(('stem', 'pixels', 'levels'), [
    (2, (64, 48, 36), (4, 4, 4)),  # 8 x 8, two rows off the image, two columns too
    (3, (144, 96, 64), (9, 6, 4))])  # 12 x 12, four off; level planes end where the image does
def test_the_first_convolution_sees_nothing_beyond_the_border(stem, pixels, levels):
    network = reader(stem)
    network.head.weight[:] = 1
    network.head.bias[:] = 0.5
    told = torch.tensor([0.5, 0.25]).view(1, 2, 1, 1)
    for result in each_way(network, torch.ones(1, 1, 16, 20), told):
        found = [float(result[0, 0, row, column]) for row, column in ((5, 9), (0, 9), (3, 19))]
        assert found == [pixel + 0.75 * level + 0.5
                         for pixel, level in zip(pixels, levels, strict=True)]


@pytest.mark.parametrize(('stem', 'row', 'column'), [(2, -1, 5), (3, -3, 3)])
def test_the_first_convolution_takes_the_pixels_where_they_are(stem, row, column):
    """Of the square above or at it and that to the right or at it, row 1 and column 3."""
    network = reader(stem)
    network.head.weight[0, 1 * 4 + 3, 0, 1] = 1
    image = torch.arange(16. * 20).view(1, 1, 16, 20)
    for result in each_way(network, image, torch.ones(1, 2, 1, 1)):
        assert (result[0, 0, 8:12, 8:12] == image[0, 0, 8 + row, 8 + column]).all()


@pytest.mark.parametrize(('height', 'middle', 'around'), [(3, 6, 3), (-3, 3, 6)])
def test_a_depthwise_block_adds_what_it_finds_around(height, middle, around):
    """By hand: a spike becomes a square of 5 x 5; what is positive adds 1, negative -2 times."""
    block = DepthwiseBlock(1, 5).requires_grad_(False)
    for layer, values in ((block.around, [1.] * 25), (block.first, [1, -1]),
                          (block.second, [1, 2])):
        layer.weight[:] = torch.tensor(values).view_as(layer.weight)
        layer.bias.zero_()
    spike = torch.zeros(1, 1, 9, 9)
    spike[..., 4, 4] = height
    expected = torch.zeros(9, 9)
    expected[2:7, 2:7] = around
    expected[4, 4] = middle
    assert torch.equal(block(spike)[0, 0], expected)


@BOTH
def test_the_network_exports_as_one_graph(architecture):
    network = randomised(architecture).network
    exported = torch.export.export(network, (torch.randn(1, 1, 32, 48), torch.rand(1, 2, 1, 1)))
    image, told = torch.randn(1, 1, 32, 48), input_levels()[300].view(1, 2, 1, 1)
    torch.testing.assert_close(exported.module()(image, told), network(image, told),
                               rtol=0, atol=1e-5)


@pytest.mark.parametrize('size', ['tiny', 'small'])
def test_embedded_weights_are_the_family_and_small(size):
    prior = load_prior(WEIGHTS / f'compact-{size}.safetensors', CPU)
    assert prior.network.architecture == SIZES[size]
    assert not prior.training
    card = json.loads((WEIGHTS / f'compact-{size}.json').read_text())
    assert card['parameters'] == prior.parameter_count
    assert card['prior'] == prior.kind
    assert sum(path.stat().st_size for path in WEIGHTS.glob('*.safetensors')) <= 16e6


def test_the_default_follows_the_device():
    assert load_prior(None, CPU).network.architecture == SIZES['small']


@pytest.mark.parametrize(('size', 'margin'), [('tiny', 0.5), ('small', 1.5)])
def test_embedded_weights_denoise_better_than_the_best_blur(size, margin):
    prior = load_prior(WEIGHTS / f'compact-{size}.safetensors', CPU)
    scene = rendered_scene()
    timesteps = (25, 50, 100)
    restored = denoising_psnr(prior, [scene], timesteps)
    for timestep in timesteps:
        assert restored[timestep] > best_blur_psnr(scene, timestep) + margin


@pytest.mark.parametrize('size', ['tiny', 'small'])
def test_denoising_gets_steadily_harder_with_the_noise(size):
    """No timestep is a blind spot between its neighbours."""
    prior = load_prior(WEIGHTS / f'compact-{size}.safetensors', CPU)
    restored = denoising_psnr(prior, [rendered_scene(128, 160)], range(20, 320, 20))
    assert (np.diff(list(restored.values())) < 0.3).all()


def best_blur_psnr(scene: np.ndarray, timestep: int) -> float:
    """PSNR of the Gaussian blur that happens to suit the scene and noise best."""
    clean = scene.astype(np.float32)
    signal = float(alpha_bar_table()[timestep])
    sigma = 127.5 * (1 / signal - 1) ** 0.5
    noised = clean + sigma * np.random.default_rng(0).standard_normal(clean.shape, np.float32)
    errors = [np.mean((cv2.GaussianBlur(noised, (0, 0), spread).clip(0, 255) - clean) ** 2)
              for spread in (0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6)]
    return float(10 * np.log10(255 ** 2 / min(errors)))


@pytest.mark.parametrize(('dtype', 'least_db'), [(torch.bfloat16, 40), (torch.float16, 55)])
def test_half_precision_stays_close_at_every_timestep(dtype, least_db):
    noised, timesteps = noised_scene([0, 10, 50, 150, 300, 500, 800, 999])
    reference = load_prior(None, CPU)(noised, timesteps)
    fast = load_prior(None, CPU).to_precision(dtype)(noised, timesteps)
    assert fast.dtype == torch.float32
    error = (fast - reference).square().mean((1, 2, 3))
    assert (10 * torch.log10(4 / error)).min() > least_db


def test_half_precision_keeps_flat_greys_apart():
    # All pixels of a flat wall are rounded the same way, so this error does not average out.
    exact, half = load_prior('small', CPU), load_prior('small', CPU).to_precision(torch.bfloat16)
    greys = torch.linspace(-0.9, 0.9, 16)[:, None, None, None].expand(-1, 1, 64, 64).contiguous()
    timesteps = torch.full((16,), 350)
    with torch.inference_mode():
        error = (half(greys, timesteps) - exact(greys, timesteps)).mean(dim=(1, 2, 3)).abs()
    assert error.max() < 0.0042  # a grey level of 255 is 0.008; without parts it is 0.0050

@pytest.mark.parametrize('name', EMBEDDED)
def test_embedded_priors_load_by_name(name):
    assert load_prior(name, CPU).parameter_count == (
        seeded(SIZES[name], 0).parameter_count)


@pytest.mark.needs('openvino')
@pytest.mark.parametrize('architecture', [TINY, SIZES['tiny'], DEPTHWISE])
@pytest.mark.parametrize('in_two', [False, True])
def test_the_openvino_graph_computes_what_the_torch_network_does(architecture, in_two):
    """At a shape that was asked for and at others, the image in one plane and in two."""
    network = randomised(architecture).network
    if in_two:
        network.take_parts()
    graph = OpenVinoNetwork(network, torch.float32)
    graph.specialise(2, 32, 48)
    planes = network.image_planes
    for height, width in ((32, 48), (48, 16), (64, 64)):
        image, told = torch.randn(2, planes, height, width), torch.rand(2, 2 * planes, 1, 1)
        torch.testing.assert_close(graph(image, told), network(image, told), rtol=1e-5, atol=1e-5)


@pytest.mark.needs('openvino')
def test_a_size_that_comes_unannounced_gets_all_threads_too():
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        network = OpenVinoNetwork(seeded(TINY, 0).network.requires_grad_(False), torch.float32)
        network.specialise(1, 64, 64)
        torch.set_num_threads(1)  # as the engine does while it fuses a small frame
        network(torch.zeros(1, 1, 32, 32), torch.zeros(1, 2, 1, 1))
    finally:
        torch.set_num_threads(usual)
    announced, unannounced = (
        request.get_compiled_model().get_property('INFERENCE_NUM_THREADS')
        for request in network._requests.values())
    assert unannounced == announced
