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
        features = self._head(scaled, levels, planes)
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
        return openvino.Model([ops.result(_shuffle(features))], [scaled, levels], 'compact')

    def _head(self, scaled: openvino.Node, levels: openvino.Node, planes: int) -> openvino.Node:
        """The first convolution, on the pixels where they are.

        A kernel of 3 x 3 squares of pixels is one of 12 x 12 pixels with a stride of 4, so nothing
        has to be put into channels first.
        """
        kernel = self._weights['head.weight']
        stem = kernel.shape[-1]
        pixels, told = np.split(kernel, [planes * SHUFFLE ** 2], axis=1)
        squares = pixels.reshape(-1, planes, SHUFFLE, SHUFFLE, stem, stem)
        side, border = stem * SHUFFLE, [(stem - 1) * SHUFFLE // 2] * 2
        pixels = squares.transpose(0, 1, 4, 2, 5, 3).reshape(-1, planes, side, side)
        features = ops.convolution(scaled, ops.constant(np.ascontiguousarray(pixels)),
                                   [SHUFFLE] * 2, border, border, [1, 1], name='head')
        # In this order. In the other OpenVINO 2026.4 lost the image where a small one came in
        # one plane through a graph of any shape.
        return ops.add(self._told(scaled, levels, told),
                       _biased('head', features, self._weights['head.bias']), name='head.sum')

    def _told(self, scaled: openvino.Node, levels: openvino.Node,
              kernel: np.ndarray) -> openvino.Node:
        """What the levels, planes of the first convolution, add to its result.

        Under one of 3 x 3 squares they end at the border of the image; one of 2 x 2 has half a
        square around it and the levels all over, so that they add the same everywhere.
        """
        if kernel.shape[-1] == 2:
            everywhere = ops.constant(kernel.sum((2, 3), keepdims=True))
            return ops.convolution(levels, everywhere, [1, 1], [0, 0], [0, 0], [1, 1],
                                   name='head.levels')
        size = ops.shape_of(scaled)
        batch, *sides = (ops.gather(size, [axis], 0) for axis in (0, 2, 3))
        level_planes = ops.broadcast(levels, ops.concat(
            [batch, [kernel.shape[1]], *(ops.divide(side, [SHUFFLE]) for side in sides)], 0))
        return ops.convolution(level_planes, ops.constant(np.ascontiguousarray(kernel)),
                               [1, 1], [1, 1], [1, 1], [1, 1], name='head.levels')

    def _residual(self, name: str, count: int, features: openvino.Node) -> openvino.Node:
        for block in range(count):
            layer = f'{name}.{block}'
            inner = features
            if f'{layer}.around.weight' in self._weights:
                inner = self._around(f'{layer}.around', inner)
            inner = ops.relu(self._convolve(f'{layer}.first', inner), name=f'{layer}.relu')
            features = ops.add(
                self._convolve(f'{layer}.second', inner), features, name=f'{layer}.sum')
        return features

    def _around(self, name: str, features: openvino.Node) -> openvino.Node:
        """A depthwise convolution; it stays float, 8 bits make it no faster."""
        kernel = self._weights[f'{name}.weight'][:, :, None]
        border = [kernel.shape[-1] // 2] * 2
        convolved = ops.group_convolution(
            features, ops.constant(kernel), [1, 1], border, border, [1, 1], name=name)
        return _biased(name, convolved, self._weights[f'{name}.bias'])

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


def _shuffle(features: openvino.Node) -> openvino.Node:
    """Channels back to the pixels of every square, by way of channels last.

    That is how the convolutions leave them; DepthToSpace takes them the other way, and longer.
    """
    size = ops.shape_of(features)
    batch, rows, columns = (ops.gather(size, [axis], 0) for axis in (0, 2, 3))
    squares = ops.reshape(ops.transpose(features, [0, 2, 3, 1]), ops.concat(
        [batch, rows, columns, [SHUFFLE], [SHUFFLE]], 0), special_zero=False)
    return ops.reshape(ops.transpose(squares, [0, 1, 3, 2, 4]), ops.concat(
        [batch, [1], *(ops.multiply(side, [SHUFFLE]) for side in (rows, columns))], 0),
        special_zero=False)
