"""Time of a network through OpenVINO, in bf16 and int8, before it has any weights worth having."""

import statistics
import time
from collections.abc import Mapping

import numpy as np
import openvino
import torch
from openvino import opset13 as ops
from torch import nn

from dig2dig_ros.prior.architecture import Architecture
from dig2dig_ros.prior.openvino_graph import INPUT_LEVELS, WEIGHT_LEVELS, build

BATCH, HEIGHT, WIDTH = 2, 512, 640
# First and last convolution, and the levels: what int8 leaves in float (docs/priors.md), beside
# upsampling and depthwise convolutions.
IN_FLOAT = ('head', 'head.levels', 'told', 'tail')
REST_S = 0.01


def times(networks: Mapping[str, nn.Module], threads: int, rounds: int) -> dict[str, dict]:
    """Milliseconds of a call of two 640x512 images, the networks and precisions in turn.

    :param networks: that take their image in two planes, as half precision does.
    :returns: for each network and precision, the medians by the clock and of processor time.
    """
    random = np.random.default_rng(0)
    inputs = {0: random.normal(size=(BATCH, 2, HEIGHT, WIDTH)).astype(np.float32),
              1: random.uniform(size=(BATCH, 4, 1, 1)).astype(np.float32)}
    requests = {(name, precision): request(network, precision == 'int8', threads)
                for name, network in networks.items() for precision in ('bf16', 'int8')}
    clock, work = ({key: [] for key in requests} for _ in range(2))
    for _ in range(rounds):
        for key, one in requests.items():
            time.sleep(REST_S)  # so that the threads of the one before have gone to sleep
            started = time.perf_counter(), time.process_time()
            one.infer(inputs, share_inputs=True, share_outputs=True)
            clock[key].append(time.perf_counter() - started[0])
            work[key].append(time.process_time() - started[1])
    found: dict[str, dict] = {name: {} for name in networks}
    for name, precision in requests:
        found[name][precision] = {
            what: round(1000 * statistics.median(taken[name, precision]), 2)
            for what, taken in (('clock', clock), ('processor', work))}
    return found


def request(network: nn.Module, eight_bits: bool, threads: int) -> openvino.InferRequest:
    """A network compiled as the engine compiles it."""
    return openvino.Core().compile_model(graph(network, eight_bits), 'CPU', {
        'INFERENCE_PRECISION_HINT': 'bf16', 'PERFORMANCE_HINT': 'LATENCY',
        'INFERENCE_NUM_THREADS': threads}).create_infer_request()


def graph(network: nn.Module, eight_bits: bool) -> openvino.Model:
    """The OpenVINO graph of a network: the package's own where it has one, else traced."""
    shape = BATCH, HEIGHT, WIDTH
    if isinstance(network.architecture, Architecture):
        weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
        model = build(network.architecture, weights, shape)
    else:
        example = torch.zeros(BATCH, 2, HEIGHT, WIDTH), torch.zeros(BATCH, 4, 1, 1)
        with torch.no_grad():
            model = openvino.convert_model(
                network.eval(), example_input=example, input=[one.shape for one in example])
    return rounded(model) if eight_bits else model


def rounded(model: openvino.Model) -> openvino.Model:
    """Put the convolutions into 8 bits, with made-up ranges: time does not depend on values."""
    for layer in model.get_ordered_ops():
        name = layer.get_friendly_name().removeprefix('__module.').split('/')[0]
        if layer.get_type_name() != 'Convolution' or name in IN_FLOAT:
            continue
        features, kernel = (layer.input_value(port) for port in (0, 1))
        lowest = 0.0 if features.get_node().get_type_name() == 'Relu' else -4.0
        layer.input(0).replace_source_output(ops.fake_quantize(
            features, lowest, 4.0, lowest, 4.0, INPUT_LEVELS).output(0))
        largest = np.full((kernel.get_shape()[0], 1, 1, 1), 0.3, np.float32)
        layer.input(1).replace_source_output(ops.fake_quantize(
            kernel, -largest, largest, -largest, largest, WEIGHT_LEVELS).output(0))
    model.validate_nodes_and_infer_types()
    return model
