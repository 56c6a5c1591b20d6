"""Prior files: what loads, and what is refused with one clear line."""

import os
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from dig2dig_ros.cli import main
from dig2dig_ros.errors import InputError
from dig2dig_ros.prior import load_prior
from dig2dig_ros.prior.architecture import Architecture
from dig2dig_ros.prior.checkpoint import save_compact
from dig2dig_ros.prior.compact import seeded
from dig2dig_ros.prior.unet import UNet, UNetArchitecture

CPU = torch.device('cpu')
TINY = Architecture(channels=8, multipliers=(1, 2), blocks=(1, 1))
DEPTHWISE = Architecture(channels=8, multipliers=(1, 2), blocks=(1, 1), kernel=5, stem=2)
TINY_UNET = UNetArchitecture(
    image_channels=3, base_channels=32, widths=(32, 64), blocks=1, attention=(False, True),
    residual_resampling=True, scale_shift=True, learned_sigma=True)
METADATA = {'family': 'dig2dig-compact', 'channels': '8', 'multipliers': '[1, 2]',
            'blocks': '[1, 1]'}


class Harmful:
    """Runs a command when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f'touch {self.trace}',)


@pytest.fixture
def compact_file(tmp_path):
    path = tmp_path / 'tiny.safetensors'
    save_compact(seeded(TINY, 3), path, {'steps': 7})
    return path


@pytest.fixture
def unet_state():
    torch.manual_seed(0)
    return UNet(TINY_UNET).state_dict()


def refusal(path) -> str:
    with pytest.raises(InputError) as caught:
        load_prior(path, CPU)
    message = str(caught.value)
    assert message.startswith(f'{path}: ')
    assert 'expected tiny, small (embedded), a .safetensors' in message
    assert '\n' not in message
    return message


@pytest.mark.parametrize('architecture', [TINY, DEPTHWISE], ids=['full', 'depthwise'])
def test_a_compact_prior_comes_back_as_it_was_but_for_half_precision(tmp_path, architecture):
    path = tmp_path / 'mine.safetensors'
    save_compact(seeded(architecture, 3), path, {'steps': 7})
    loaded = load_prior(path, CPU)
    assert loaded.network.architecture == architecture
    for name, tensor in seeded(architecture, 3).network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor.half().float())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert not loaded.training


def test_a_file_that_tells_no_kernel_has_pairs_of_3_x_3(tmp_path, compact_file):
    path = tmp_path / 'old.safetensors'
    save_file(load_file(compact_file), path, METADATA)
    assert load_prior(path, CPU).network.architecture == TINY


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'before-1.6'])
def test_a_guided_diffusion_state_dict_loads_from_either_pickle_form(
        tmp_path, unet_state, zipped):
    path = tmp_path / 'diffusion.pt'
    torch.save(unet_state, path, _use_new_zipfile_serialization=zipped)
    prior = load_prior(path, CPU)
    assert prior.network.architecture == TINY_UNET
    assert prior.kind.startswith('guided-diffusion-')
    for name, tensor in prior.network.state_dict().items():
        assert torch.equal(tensor, unet_state[name])


def test_a_half_precision_state_dict_loads_as_float32(tmp_path, unet_state):
    path = tmp_path / 'half.pt'
    torch.save({name: tensor.half() for name, tensor in unet_state.items()}, path)
    assert {p.dtype for p in load_prior(path, CPU).parameters()} == {torch.float32}


def test_content_decides_not_the_suffix(tmp_path, unet_state):
    path = tmp_path / 'converted.bin'
    save_file(unet_state, path)
    assert load_prior(path, CPU).network.architecture == TINY_UNET


def test_a_missing_file(tmp_path):
    assert 'no such file' in refusal(tmp_path / 'absent.pt')


@pytest.mark.parametrize('content', [b'', b'<html>not found</html>', b'\x80\x02}q\x00.',
                                     b'PK\x03\x04 and nothing more', b'\xff' * 64,
                                     b'\x40\x00\x00\x00\x00\x00\x00\x00{"broken'])
def test_no_weights_at_all(tmp_path, content):
    path = tmp_path / 'weights.pt'
    path.write_bytes(content)
    refusal(path)


def test_a_folder(tmp_path):
    assert 'is a folder' in refusal(tmp_path)


def test_truncated_files(tmp_path, compact_file, unet_state):
    whole = tmp_path / 'whole.pt'
    torch.save(unet_state, whole)
    for path in (compact_file, whole):
        content = path.read_bytes()
        path.write_bytes(content[:len(content) * 2 // 3])
        assert 'cannot be read as weights' in refusal(path)


@pytest.mark.parametrize('zipped', [True, False])
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path, unet_state, zipped):
    trace, path = tmp_path / 'harmed', tmp_path / 'harmful.pt'
    torch.save({**unet_state, 'extra': Harmful(trace)}, path,
               _use_new_zipfile_serialization=zipped)
    refusal(path)
    assert not trace.exists()


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('protocol', [2, 4])
def test_a_plain_pickle_is_refused_and_not_run(tmp_path, protocol):
    trace, path = tmp_path / 'harmed', tmp_path / 'harmful.pkl'
    path.write_bytes(pickle.dumps(Harmful(trace), protocol=protocol))
    assert 'no pickle of tensors alone' in refusal(path)
    assert not trace.exists()


def test_another_models_weights(tmp_path):
    for name, save in (('other.pt', torch.save), ('other.safetensors', save_file)):
        save({'conv1.weight': torch.zeros(2, 2)}, tmp_path / name)
        assert 'something else' in refusal(tmp_path / name)


def test_containers_that_are_no_state_dict(tmp_path, unet_state):
    for content in ([1, 2], {'model': unet_state}, {3: torch.zeros(1)}):
        torch.save(content, tmp_path / 'odd.pt')
        assert 'no state dict' in refusal(tmp_path / 'odd.pt')


def test_a_class_conditional_model(tmp_path, unet_state):
    torch.save({**unet_state, 'label_emb.weight': torch.zeros(10, 128)}, tmp_path / 'cond.pt')
    assert 'class-conditional' in refusal(tmp_path / 'cond.pt')


def spoil(tensors: dict[str, torch.Tensor], name: str, how: str) -> dict[str, torch.Tensor]:
    spoilt = dict(tensors)
    if how == 'lacking':
        del spoilt[name]
    elif how == 'extra':
        spoilt['surplus.weight'] = torch.zeros(1)
    elif how == 'shape':
        spoilt[name] = torch.zeros(*tensors[name].shape[:-1], tensors[name].shape[-1] + 1)
    else:
        spoilt[name] = torch.full_like(tensors[name], float(how))
    return spoilt


@pytest.mark.parametrize(('how', 'message'), [
    ('lacking', 'lacks {name}'), ('shape', '{name} is'), ('nan', '{name} holds values that'),
    ('inf', '{name} holds values that'), ('extra', 'holds surplus.weight')])
def test_weights_that_do_not_fit(tmp_path, compact_file, unet_state, how, message):
    path = tmp_path / 'spoilt.safetensors'
    save_file(spoil(load_file(compact_file), 'head.weight', how), path, METADATA)
    assert message.format(name='head.weight') in refusal(path)
    name = 'middle_block.1.qkv.weight'
    torch.save(spoil(unet_state, name, how), tmp_path / 'spoilt.pt')
    assert message.format(name=name) in refusal(tmp_path / 'spoilt.pt')


@pytest.mark.parametrize('change', [
    {'channels': '1e9'}, {'channels': '-8'}, {'channels': '"8"'}, {'multipliers': '[1]'},
    {'multipliers': 'null'}, {'blocks': '[1, 1000000]'}, {'blocks': '[[1], 1]'},
    {'blocks': 'oops'}, {'blocks': '[-1, 2]'}, {'channels': '[8]'}, {'multipliers': '2'},
    {'kernel': '4'}, {'kernel': '1'}, {'kernel': '101'}, {'kernel': '[5]'}, {'kernel': '5.0'},
    {'stem': '0'}, {'stem': '"2"'}, {'stem': 'true'}, {'stem': '4'}])
def test_metadata_that_names_no_architecture(tmp_path, compact_file, change):
    path = tmp_path / 'odd.safetensors'
    save_file(load_file(compact_file), path, {**METADATA, **change})
    assert 'metadata' in refusal(path)


@pytest.mark.parametrize('name', ['input_blocks.9999.0.weight', 'input_blocks.0.0.weight',
                                  'out.2.weight', 'time_embed.0.weight',
                                  'input_blocks.1.0.out_layers.3.weight'])
def test_hostile_tensor_shapes_and_names(tmp_path, unet_state, name):
    for tensor in (torch.zeros(()), torch.zeros(0), torch.zeros(7, 5, 3, 3)):
        torch.save({**unet_state, name: tensor}, tmp_path / 'hostile.pt')
        refusal(tmp_path / 'hostile.pt')


def test_the_command_line_says_it_in_one_line(tmp_path, capfd):
    assert main(['benchmark', '--checkpoint', str(tmp_path / 'absent.pt'), '--device', 'cpu',
                 '--frames', '1', '--size', '64x64']) == 2
    error = capfd.readouterr().err
    assert error.count('\n') == 1
    assert 'absent.pt: no such file' in error
