"""A compact network run by OpenVINO, where that is installed.

A DIG-15 frame at 640x512 takes it 266 ms, torch 340 ms; beside one process that keeps a core busy
478 and 537 ms (docs/performance.md has the machine, and one where torch was the faster on free
cores and much the slower on busy ones: its OpenMP threads wait for each other in lockstep).
Without OpenVINO, torch runs the same network.
"""

import importlib.util
import warnings

import torch
from torch import nn

HINTS = {torch.float32: 'f32', torch.bfloat16: 'bf16'}


def can_run(dtype: torch.dtype) -> bool:
    """Whether OpenVINO is installed and computes in this precision (its fp16 is emulated)."""
    return dtype in HINTS and importlib.util.find_spec('openvino') is not None


class OpenVinoNetwork(nn.Module):
    """Stands in for a `CompactNetwork`: float32 tensors in and out, the precision inside.

    Any input shape runs; one that comes often runs with less overhead once `specialise` was
    called for it (2.1 against 3.9 ms for one 320x256 image, two cores of an AMD EPYC).
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype):
        """Compile a float32 network on the CPU.

        :param dtype: to compute in, float32 or bfloat16.
        """
        super().__init__()
        import openvino
        self._openvino = openvino
        self._network = network
        self._hint = HINTS[dtype]
        self._special: dict[tuple[int, ...], openvino.InferRequest] = {}
        self._general = self._compile((-1, -1, -1))

    def specialise(self, batch: int, height: int, width: int) -> None:
        """Compile for inputs of one shape, in a fraction of a second."""
        shape = (batch, height, width)
        if shape not in self._special:
            self._special[shape] = self._compile(shape)

    def forward(self, scaled: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        """Run the network; the result is overwritten by the next call of the same shape."""
        shape = (len(scaled), *scaled.shape[-2:])
        request = self._special.get(shape, self._general)
        outputs = request.infer(
            {0: scaled.contiguous().numpy(), 1: levels.contiguous().numpy()},
            share_inputs=True, share_outputs=True)
        return torch.from_numpy(outputs[0])

    def _compile(self, shape: tuple[int, int, int]):
        batch, height, width = shape
        planes = self._network.image_planes
        example = (torch.zeros(1, planes, 64, 64), torch.zeros(1, 2 * planes, 1, 1))
        with warnings.catch_warnings():
            # OpenVINO traces with torch.jit, which newer torch calls deprecated.
            warnings.simplefilter('ignore', DeprecationWarning)
            model = self._openvino.convert_model(
                self._network, example_input=example,
                input=[[batch, planes, height, width], [batch, 2 * planes, 1, 1]])
        return self._openvino.compile_model(model, 'CPU', {
            'INFERENCE_PRECISION_HINT': self._hint, 'PERFORMANCE_HINT': 'LATENCY',
            'INFERENCE_NUM_THREADS': torch.get_num_threads()}).create_infer_request()
