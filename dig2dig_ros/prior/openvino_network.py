"""A compact network run by OpenVINO, where that is installed.

A DIG-15 frame at 640x512 takes it 266 ms, torch 340 ms; beside one process that keeps a core busy
478 and 537 ms (docs/performance.md has the machine, and one where torch was the faster on free
cores and much the slower on busy ones: its OpenMP threads wait for each other in lockstep).
Without OpenVINO, torch runs the same network.
"""

import importlib.util

import torch
from torch import nn

from dig2dig_ros.prior.quantisation import Ranges

# Images that one compiled network takes. Larger batches are no faster, and each batch size that
# is compiled holds 15 to 20 MB an image (640x512, two cores of an AMD EPYC).
PART = 2
# int8 has no entry: what it leaves in float runs as fast as the processor can.
HINTS = {torch.float32: 'f32', torch.bfloat16: 'bf16'}


def fast_bfloat16() -> bool:
    """Whether this processor computes in bf16 faster than in float32; False with old torch."""
    capabilities = getattr(torch.cpu, 'get_capabilities', dict)()
    return bool(capabilities.get('amx_bf16') or capabilities.get('avx512_bf16'))


def fast_float() -> torch.dtype:
    """What this processor computes fastest, bfloat16 or float32; int8 leaves its rest in it."""
    return torch.bfloat16 if fast_bfloat16() else torch.float32


def can_run(dtype: torch.dtype) -> bool:
    """Whether OpenVINO is installed and computes in this precision (its fp16 is emulated)."""
    return ((dtype in HINTS or dtype == torch.int8)
            and importlib.util.find_spec('openvino') is not None)


class OpenVinoNetwork(nn.Module):
    """Stands in for a `CompactNetwork`: float32 tensors in and out, the precision inside.

    Any input shape runs; one that comes often runs with less overhead once `specialise` was
    called for it (2.1 against 3.9 ms for one 320x256 image, two cores of an AMD EPYC).
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype, ranges: Ranges | None = None):
        """Take a float32 network on the CPU; it is compiled when it is first called.

        :param dtype: to compute in, float32, bfloat16 or int8.
        :param ranges: of the layers that int8 computes in 8 bits.
        """
        super().__init__()
        import openvino
        self._core = openvino.Core()
        self._architecture = network.architecture
        self._weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
        self._ranges = ranges if dtype == torch.int8 else None
        self._hint = HINTS[fast_float() if dtype == torch.int8 else dtype]
        # While a small frame is fused, torch itself takes fewer (`device.threads_for`).
        self._threads = torch.get_num_threads()
        self._requests: dict[tuple[int, ...], openvino.InferRequest] = {}

    def specialise(self, batch: int, height: int, width: int) -> None:
        """Compile for inputs of one shape, in a fraction of a second."""
        for count in {min(batch, PART), batch % PART or PART}:
            self._request(count, height, width)

    def forward(self, scaled: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        """Run the network; the result may be overwritten by the next call."""
        if len(scaled) <= PART:
            return self._infer(scaled, levels)
        predicted = scaled.new_empty(len(scaled), 1, *scaled.shape[-2:])
        for start in range(0, len(scaled), PART):
            part = slice(start, start + PART)
            predicted[part] = self._infer(scaled[part], levels[part])
        return predicted

    def _infer(self, scaled: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        shape = (len(scaled), *scaled.shape[-2:])
        request = self._requests.get(shape) or self._request(-1, -1, -1)
        outputs = request.infer(
            {0: scaled.contiguous().numpy(), 1: levels.contiguous().numpy()},
            share_inputs=True, share_outputs=True)
        return torch.from_numpy(outputs[0])

    def _request(self, *shape: int):
        """What runs inputs of a shape, -1 for any; compiled when it is first asked for."""
        if shape not in self._requests:
            from dig2dig_ros.prior.openvino_graph import build
            model = build(self._architecture, self._weights, shape, self._ranges)
            self._requests[shape] = self._core.compile_model(model, 'CPU', {
                'INFERENCE_PRECISION_HINT': self._hint, 'PERFORMANCE_HINT': 'LATENCY',
                'INFERENCE_NUM_THREADS': self._threads}).create_infer_request()
        return self._requests[shape]
