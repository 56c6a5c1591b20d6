"""The compact network as an OpenVINO graph, built layer by layer from its weights.

Tracing the torch module gives the same graph, in two seconds a time and 90 MB that stay resident
(two cores of an AMD EPYC); this takes milliseconds. Where ranges are given, the input and the
weights of a convolution go through FakeQuantize nodes, which OpenVINO turns into int8 arithmetic.
"""

import numpy as np
import openvino
from openvino import opset13 as ops

from dig2dig_ros.prior.architecture import SHUFFLE, Architecture
from dig2dig_ros.prior.quantisation import Ranges

Arrays = dict[str, np.ndarray]
# Of weights, symmetric about 0; and of inputs.
WEIGHT_LEVELS, INPUT_LEVELS = 255, 256


def build(
        architecture: Architecture, weights: Arrays, shape: tuple[int, int, int],
        ranges: Ranges | None = None) -> openvino.Model:
    """A graph that computes what `CompactNetwork.forward` does.

    :param weights: float32 state of the network, by torch's names; its head says how many planes
        the image comes in.
    :param shape: batch, height and width of the input; -1 is any.
    :param ranges: of the convolutions that run in int8, by name; the others stay float.
    :returns: inputs `scaled` and `levels`, one output, float32. A convolution has the name of
        its layer, the addition of its bias that with `.bias`.
    """
    return _Builder(weights, ranges or {}).build(architecture, shape)


class _Builder:
    def __init__(self, weights: Arrays, ranges: Ranges):
        self._weights = weights
        self._ranges = ranges

    def build(self, architecture: Architecture, shape: tuple[int, int, int]) -> openvino.Model:
        batch, height, width = shape
        planes = self._weights['head.weight'].shape[1] // (SHUFFLE ** 2 + 2)
        scaled = ops.parameter([batch, planes, height, width], np.float32, name='scaled')
        levels = ops.parameter([batch, 2 * planes, 1, 1], np.float32, name='levels')
        features = self._convolve('head', _stack(scaled, levels, planes))
        skips = []
        coarsest = len(architecture.widths) - 1
        for level in range(coarsest):
            features = self._residual(f'encoders.{level}', architecture.blocks[level], features)
            skips.append(features)
            features = self._convolve(f'downs.{level}', features, stride=2)
        features = self._residual('bottleneck', architecture.blocks[-1], features)
        for level in reversed(range(coarsest)):
            features = ops.add(self._enlarge(f'ups.{level}', features), skips[level],
                               name=f'merges.{level}')
            features = self._residual(f'decoders.{level}', architecture.blocks[level], features)
        features = self._convolve('tail', features)
        predicted = ops.depth_to_space(features, 'depth_first', SHUFFLE)
        return openvino.Model([ops.result(predicted)], [scaled, levels], 'compact')

    def _residual(self, name: str, count: int, features: openvino.Node) -> openvino.Node:
        for block in range(count):
            layer = f'{name}.{block}'
            inner = ops.relu(self._convolve(f'{layer}.first', features), name=f'{layer}.relu')
            features = ops.add(
                self._convolve(f'{layer}.second', inner), features, name=f'{layer}.sum')
        return features

    def _convolve(self, name: str, features: openvino.Node, stride: int = 1) -> openvino.Node:
        kernel = self._weights[f'{name}.weight']
        border = [0, 0] if stride > 1 else [kernel.shape[-1] // 2] * 2
        filters, bias = ops.constant(kernel), self._weights[f'{name}.bias']
        if name in self._ranges:
            found = self._ranges[name]
            features = ops.fake_quantize(
                features, *(found.inputs[[0, 1, 0, 1]]), INPUT_LEVELS)
            largest, bias = found.weights.reshape(-1, 1, 1, 1), found.bias
            filters = ops.fake_quantize(
                filters, -largest, largest, -largest, largest, WEIGHT_LEVELS)
        convolved = ops.convolution(
            features, filters, [stride] * 2, border, border, [1, 1], name=name)
        return _biased(name, convolved, bias)

    def _enlarge(self, name: str, features: openvino.Node) -> openvino.Node:
        kernel = ops.constant(self._weights[f'{name}.weight'])
        enlarged = ops.convolution_backprop_data(features, kernel, [2, 2], name=name)
        return _biased(name, enlarged, self._weights[f'{name}.bias'])


def _biased(name: str, features: openvino.Node, bias: np.ndarray) -> openvino.Node:
    return ops.add(features, ops.constant(bias.reshape(1, -1, 1, 1)), name=f'{name}.bias')


def _stack(scaled: openvino.Node, levels: openvino.Node, planes: int) -> openvino.Node:
    """The pixels of every square in channels, and the levels as planes after them.

    By way of channels last, which is how the convolutions want them: SpaceToDepth and its
    reorders take three times as long.
    """
    size = ops.shape_of(scaled)
    batch, height, width = (ops.gather(size, [axis], 0) for axis in (0, 2, 3))
    rows, columns = (ops.divide(side, np.array([SHUFFLE])) for side in (height, width))
    squares = ops.reshape(scaled, ops.concat(
        [batch, [planes], rows, [SHUFFLE], columns, [SHUFFLE]], 0), special_zero=False)
    images = ops.reshape(ops.transpose(squares, [0, 2, 4, 1, 3, 5]), ops.concat(
        [batch, rows, columns, [planes * SHUFFLE ** 2]], 0), special_zero=False)
    told = ops.broadcast(ops.transpose(levels, [0, 2, 3, 1]), ops.concat(
        [batch, rows, columns, [2 * planes]], 0))
    return ops.transpose(ops.concat([images, told], 3), [0, 3, 1, 2])
