"""The guided-diffusion U-Net: names, inferred architecture, numbers, luminance in and out.

The golden numbers are the output of the public guided-diffusion code on the same weights and
input (float32, CPU); docs/priors.md tells how closely the two agree.
"""

import dataclasses

import pytest
import torch

from dig2dig_ros.prior.noise_schedule import alpha_bar_table
from dig2dig_ros.prior.unet import GuidedDiffusionPrior, UNet, UNetArchitecture

IMAGENET_256 = UNetArchitecture(
    image_channels=3, base_channels=256, widths=(256, 256, 512, 512, 1024, 1024), blocks=2,
    attention=(False, False, False, True, True, True), residual_resampling=True,
    scale_shift=True, learned_sigma=True)
RICH = UNetArchitecture(
    image_channels=3, base_channels=64, widths=(64, 128), blocks=1, attention=(False, True),
    residual_resampling=True, scale_shift=True, learned_sigma=True)
PLAIN = dataclasses.replace(RICH, image_channels=1, residual_resampling=False, scale_shift=False,
                            learned_sigma=False, attention=(False, False))
# mean, standard deviation, and the first pixels of the last channel's middle row.
GOLDEN = {
    'rich': [-0.013231, 0.217061, 0.041972, 0.147142, -0.039020, -0.118230],
    'plain': [-0.016842, 0.183474, 0.055080, 0.029401, -0.014563, -0.017778],
}


def patterned(architecture: UNetArchitecture) -> UNet:
    """A network whose weights follow from a formula, the same on every platform."""
    network = UNet(architecture).eval().requires_grad_(False)
    for place, (name, parameter) in enumerate(sorted(network.state_dict().items())):
        wave = torch.sin(torch.arange(parameter.numel()) * 1.7 + 0.9 * place).view_as(parameter)
        if parameter.ndim > 1:
            parameter.copy_(wave * 1.6 * parameter[0].numel() ** -0.5)
        else:
            parameter.copy_(0.1 * wave + (1.0 if name.endswith('weight') else 0.0))
    return network


def patterned_image(channels: int) -> torch.Tensor:
    places = torch.arange(2 * channels * 16 * 24)
    return torch.cos(places * 0.37 + torch.sin(places * 0.011)).view(2, channels, 16, 24)


@pytest.mark.parametrize('name', ['rich', 'plain'])
def test_outputs_equal_those_of_the_public_code(name):
    architecture = {'rich': RICH, 'plain': PLAIN}[name]
    output = patterned(architecture)(patterned_image(architecture.image_channels),
                                     torch.tensor([7, 901]))
    found = [output.mean(), output.std(), *output[1, -1, 8, :4]]
    torch.testing.assert_close(torch.stack(found), torch.tensor(GOLDEN[name]), rtol=0, atol=1e-4)


@pytest.mark.parametrize('architecture', [
    RICH, PLAIN, IMAGENET_256,
    dataclasses.replace(RICH, widths=(64, 32, 128), attention=(True, False, True), blocks=3),
    dataclasses.replace(RICH, widths=(64,), attention=(True,), learned_sigma=False),
    dataclasses.replace(IMAGENET_256, residual_resampling=False, scale_shift=False)])
def test_the_architecture_is_read_off_the_tensors(architecture):
    with torch.device('meta'):
        state = UNet(architecture).state_dict()
    assert UNetArchitecture.from_tensors(state) == architecture


def test_the_published_256_model_has_its_parameters_names_and_shapes():
    with torch.device('meta'):
        network = UNet(IMAGENET_256)
    assert sum(parameter.numel() for parameter in network.parameters()) == 552_814_086
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert shapes['input_blocks.0.0.weight'] == (256, 3, 3, 3)
    assert shapes['time_embed.2.weight'] == (1024, 1024)
    assert shapes['input_blocks.3.0.in_layers.2.weight'] == (256, 256, 3, 3)
    assert shapes['input_blocks.7.0.skip_connection.weight'] == (512, 256, 1, 1)
    assert shapes['input_blocks.10.1.qkv.weight'] == (1536, 512, 1)
    assert shapes['middle_block.1.proj_out.weight'] == (1024, 1024, 1)
    assert shapes['output_blocks.2.2.out_layers.3.weight'] == (1024, 1024, 3, 3)
    assert shapes['out.2.weight'] == (6, 256, 3, 3)


def test_eq_10_and_luminance():
    network = patterned(dataclasses.replace(RICH, learned_sigma=False))
    network.out[2].weight.zero_()
    predicted = torch.tensor([0.4, -0.2, 0.1])  # a constant noise estimate per channel
    network.out[2].bias.copy_(predicted)
    timesteps = torch.tensor([20, 400, 999])
    noised = torch.rand(3, 1, 8, 8) - 0.5
    restored = GuidedDiffusionPrior(network)(noised, timesteps)
    signal = alpha_bar_table()[timesteps].view(3, 1, 1, 1)
    channels = ((noised - (1 - signal).sqrt() * predicted.view(1, 3, 1, 1)) / signal.sqrt())
    red, green, blue = channels.clamp(-1, 1).unbind(1)
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    torch.testing.assert_close(restored[:, 0], luminance.float(), rtol=0, atol=1e-4)


def test_height_and_width_need_only_be_the_stated_multiple():
    prior = GuidedDiffusionPrior(patterned(dataclasses.replace(
        RICH, widths=(32, 64, 64), attention=(False, False, True))))
    assert prior.multiple == 4
    assert prior(torch.zeros(1, 1, 12, 20), torch.tensor([5])).shape == (1, 1, 12, 20)


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_half_precision_stays_close(dtype, tolerance):
    prior = GuidedDiffusionPrior(patterned(RICH))
    noised, timesteps = patterned_image(1), torch.tensor([7, 100])
    reference = prior(noised, timesteps)
    fast = prior.to_precision(dtype)(noised, timesteps)
    assert prior.network.input_blocks[1][0].in_layers[2].weight.dtype == dtype
    assert prior.network.input_blocks[1][0].in_layers[0].weight.dtype == torch.float32
    assert fast.dtype == torch.float32
    assert (fast - reference).square().mean().sqrt() < tolerance


def test_heads_do_not_mix():
    """A change in one head's channels changes only that head's output."""
    block = patterned(RICH).middle_block[1]
    block.proj_out.weight.copy_(torch.eye(128)[:, :, None])
    features = torch.randn(1, 128, 4, 4)
    before = block(features)
    block.qkv.weight[:3 * 64] += 0.1  # query, key and value of the first head lie together
    changed = (block(features) - before).abs().amax((0, 2, 3)) > 1e-6
    assert changed[:64].all()
    assert not changed[64:].any()
