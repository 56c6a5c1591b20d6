"""The architecture study: its networks, its short trainings, what it times."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dig2dig_ros.prior.architecture import Architecture
from dig2dig_ros.prior.base import Prior
from dig2dig_ros.prior.compact import CompactNetwork, CompactPrior
from dig2dig_ros.prior.crops import CropSampler
from dig2dig_ros.prior.training import TrainingSettings

STUDIES = str(Path(__file__).parents[1] / 'studies')
CPU = torch.device('cpu')


@pytest.fixture(autouse=True)
def studies(monkeypatch):
    monkeypatch.syspath_prepend(STUDIES)
    yield
    for name in [name for name in sys.modules if name.startswith('candidate')]:
        del sys.modules[name]


def filled(network: torch.nn.Module) -> torch.nn.Module:
    """Random weights where the network starts with zeros, too."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.1)
    return network.requires_grad_(False)


@pytest.mark.parametrize(('stem', 'kernel'), [(2, 5), (3, 3)])
def test_a_sketch_on_the_same_squares_computes_what_the_family_does(stem, kernel):
    from candidates import Sketch, SketchNetwork
    torch.manual_seed(0)
    form = Architecture(8, (1, 2), (1, 2), kernel, stem)
    present = filled(CompactNetwork(form))
    if stem == 3:
        present.head.weight[:, 16:] = 0  # planes end at the border there, a bias does not
    sketch = SketchNetwork(Sketch(form)).requires_grad_(False)
    weights = present.state_dict()
    squares, told = weights['head.weight'].split([16, 2], 1)
    pixels = squares.reshape(8, 4, 4, stem, stem).permute(0, 3, 1, 4, 2)
    weights['head.weight'] = pixels.reshape(8, 1, 4 * stem, 4 * stem)
    weights |= {'told.weight': told.sum((2, 3), keepdim=True), 'told.bias': torch.zeros(8)}
    sketch.load_state_dict(weights)
    inputs = torch.randn(2, 1, 32, 48), torch.rand(2, 2, 1, 1)
    assert present(*inputs).std() > 0.1
    torch.testing.assert_close(sketch(*inputs), present(*inputs), rtol=1e-4, atol=1e-5)


def test_a_pixel_depends_on_no_more_than_the_receptive_field():
    from candidates import Sketch, SketchNetwork
    for sketch in (Sketch(Architecture(4, (1, 2), (1, 1), kernel=5, stem=2), patch=8),
                   Sketch(Architecture(4, (1, 2), (0, 1)))):
        network = filled(SketchNetwork(sketch))
        side = 2 * sketch.receptive_field
        image = torch.zeros(1, 1, side, side).requires_grad_()
        centre = side // 2
        network(image, torch.ones(1, 2, 1, 1))[0, 0, centre, centre].backward()
        rows = image.grad[0, 0].abs().sum(1).nonzero()
        assert 1 < rows.max() - rows.min() < sketch.receptive_field


def test_every_candidate_keeps_the_size_of_the_image():
    from candidates import CANDIDATES, network
    for name in CANDIDATES:
        made = network(name, planes=2).requires_grad_(False)
        assert made(torch.randn(1, 2, 32, 64), torch.rand(1, 4, 1, 1)).shape == (1, 1, 32, 64)
        assert CompactPrior(network(name)).multiple in (16, 32)


@pytest.mark.needs('openvino')
def test_int8_takes_all_full_convolutions_but_the_first_and_the_last():
    from candidate_times import graph
    from candidates import Sketch, SketchNetwork
    form = Architecture(8, (1, 2), (1, 1), kernel=5)
    with torch.inference_mode():
        model = graph(SketchNetwork(Sketch(form), planes=2), True)
    kinds = {'Convolution': [], 'GroupConvolution': []}
    for layer in model.get_ops():
        if layer.get_type_name() in kinds:
            sources = {layer.input_value(port).get_node().get_type_name() for port in (0, 1)}
            kinds[layer.get_type_name()].append(sources == {'FakeQuantize'})
    # head, what it is told, tail; three blocks of one depthwise and two others, and one down.
    assert sorted(kinds['Convolution']) == [False] * 3 + [True] * 7
    assert kinds['GroupConvolution'] == [False] * 3


def settings(steps: int) -> TrainingSettings:
    return TrainingSettings(steps=steps, batch=2, crop=32, precision='fp32')


def sampler() -> CropSampler:
    random = np.random.default_rng(0)
    return CropSampler([random.integers(0, 255, (40, 40), np.uint8)], 32, CPU)


class Black(Prior):
    """Takes every image for black."""

    kind, multiple = 'black', 16

    def forward(self, noised, timesteps):
        return torch.full_like(noised, -1)

    def to_precision(self, dtype):
        return self


def test_what_is_taught_is_what_the_teacher_sees():
    from candidate_training import CandidateTrainer
    clean = sampler().sample(2, torch.Generator().manual_seed(0))
    at = torch.tensor([400, 73])
    plain = CandidateTrainer('tiny-half', settings(1), sampler())
    taught = CandidateTrainer('tiny-half', settings(1), sampler(), Black())
    assert plain._aim(clean, clean + 1, at) is clean
    assert (taught._aim(clean, clean + 1, at) == -1).all()
    assert taught._loss() > 2 * plain._loss()


def test_a_training_goes_on_from_its_file_and_is_not_done_twice(tmp_path, capsys):
    from candidate_training import trained
    from candidates import Run
    run, file = Run('tiny-half', 3), tmp_path / 'a.state'
    whole = trained(run, settings(3), sampler(), file)
    assert (whole.steps_done, capsys.readouterr().out.count('step 3')) == (3, 1)
    again = trained(run, settings(3), sampler(), file)
    assert (again.steps_done, again.processor_s) == (3, whole.processor_s)
    assert capsys.readouterr().out == ''
    for one, other in zip(whole.average.parameters(), again.average.parameters(), strict=True):
        assert torch.equal(one, other)


def test_held_out_images_are_told_apart(tmp_path):
    from candidate_training import SEQUENCES, held_out
    stems = {'dev_pairs/MSRS': ('1N', '2D', '3N'), 'dev_pairs/RoadScene': ('a',),
             'dev_pairs/VIFB': ('b',)} | {f'sequences/{name}': ('0',) for name in SEQUENCES}
    for folder, names in stems.items():
        for value, side in ((50, 'ir'), (200, 'vi')):
            (tmp_path / folder / side).mkdir(parents=True)
            for name in names:
                cv2.imwrite(str(tmp_path / folder / side / f'{name}.png'),
                            np.full((330, 340), value, np.uint8))
    found = held_out(tmp_path)
    assert {kind: len(images) for kind, images in found.items()} == {
        f'{camera} {kind}': count for camera in ('infrared', 'visible')
        for kind, count in (('night', 3), ('day', 2), ('other', 2))}
    assert all(image.shape == (320, 320) for images in found.values() for image in images)
    assert found['infrared day'][0][0, 0] == 50
