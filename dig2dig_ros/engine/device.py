"""Which device and precision to run in, and on how many of torch's threads."""

import contextlib
import math
from collections.abc import Iterator

import torch

from dig2dig_ros.errors import InputError
from dig2dig_ros.prior.base import Prior
from dig2dig_ros.prior.openvino_network import fast_bfloat16

# Waking a thread for an elementwise operation costs more than it brings on fewer pixels. Measured
# with one thread in place of two, beside OpenVINO's two (AMD EPYC, tiny prior): a 320x256 one-pass
# frame 6.5 ms, not 8.7; DIG-15, S = 10 34 ms, not 38 to 43, and not 50 where idle threads spin. At
# 640x512 it makes no difference, with spinning threads 123 to 151 ms in place of 174 to 194.
PIXELS_PER_THREAD = 2 ** 19
DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16,
          'int8': torch.int8}


def resolve_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `cuda:N` into a device that is there.

    :raises InputError: for any other name, and for a GPU that torch does not see.
    """
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    if name == 'cpu':
        return torch.device('cpu')
    kind, _, index = name.partition(':')
    if kind != 'cuda' or (':' in name and not index.isdigit()):
        raise InputError(f'device is {name!r}; it must be auto, cpu, cuda or cuda:N')
    count = torch.cuda.device_count()
    if int(index or 0) >= count:
        raise InputError(
            f'device is {name!r}, but torch sees {count} CUDA devices; use cpu or auto')
    return torch.device(name)


def pick_precision(precision: str, device: torch.device, prior: Prior) -> str:
    """Resolve `auto` to what the device computes fastest.

    On a CPU: int8 where the prior has such a form and it pays (`Prior.int8_pays`), else bf16
    where the processor has it, else fp32.
    """
    if precision != 'auto':
        return precision
    if device.type == 'cuda':
        # bf16 came with compute capability 8 (Ampere, Orin); before that fp16 is the fast one.
        return 'bf16' if torch.cuda.get_device_capability(device) >= (8, 0) else 'fp16'
    if prior.int8_pays:
        return 'int8'
    return 'bf16' if fast_bfloat16() else 'fp32'


@contextlib.contextmanager
def threads_for(pixels: int) -> Iterator[None]:
    """Within, torch uses as many of its CPU threads as operations on so many pixels are worth."""
    usual = torch.get_num_threads()
    torch.set_num_threads(min(usual, math.ceil(pixels / PIXELS_PER_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(usual)
