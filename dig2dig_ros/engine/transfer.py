"""Arrays to the device and back, and the time between."""

import time

import numpy as np
import torch


class Transfer:
    """Copies between numpy and one device, through page-locked buffers where it is a GPU."""

    def __init__(self, device: torch.device):
        """Serve one device."""
        self._device = device
        self._staging: dict[tuple, torch.Tensor] = {}

    def upload(self, array: np.ndarray, slot: int) -> torch.Tensor:
        """Bring an array to the device; on the CPU the tensor shares its memory.

        :param slot: which of the frame's arrays this is: each has a staging buffer of its own,
            since the copy runs on while the next one is staged.
        """
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self._device.type == 'cpu':
            return tensor
        staged = self._buffer('up', slot, tensor)
        staged.copy_(tensor)
        return staged.to(self._device, non_blocking=True)

    def download(self, tensor: torch.Tensor, slot: int) -> torch.Tensor:
        """Begin bringing a tensor back; it is here once `Stopwatch.finish` has returned.

        :param slot: as for `upload`.
        """
        if self._device.type == 'cpu':
            return tensor.contiguous()
        staged = self._buffer('down', slot, tensor)
        return staged.copy_(tensor, non_blocking=True)

    def keep(self, downloaded: torch.Tensor) -> np.ndarray:
        """The caller's own array; the buffer behind `downloaded` serves the next frame."""
        array = downloaded.numpy()
        return array if self._device.type == 'cpu' else array.copy()

    def _buffer(self, way: str, slot: int, like: torch.Tensor) -> torch.Tensor:
        key = (way, slot, tuple(like.shape), like.dtype)
        if key not in self._staging:
            # A camera that changed its size leaves nothing behind.
            for old in [old for old in self._staging if old[:2] == key[:2]]:
                del self._staging[old]
            self._staging[key] = torch.empty(like.shape, dtype=like.dtype, pin_memory=True)
        return self._staging[key]


class Stopwatch:
    """Marks between the stages of a frame; on a GPU by events, without stopping it."""

    def __init__(self, device: torch.device):
        """Start with the first mark."""
        self._on_gpu = device.type == 'cuda'
        self._marks: list = []
        self.mark()

    def mark(self) -> None:
        """End a stage and begin the next."""
        if self._on_gpu:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append(event)
        else:
            self._marks.append(time.perf_counter())

    def finish(self) -> list[float]:
        """End the last stage and wait for the device.

        :returns: milliseconds of each stage.
        """
        self.mark()
        if self._on_gpu:
            self._marks[-1].synchronize()
            return [a.elapsed_time(b) for a, b in zip(self._marks, self._marks[1:], strict=False)]
        return [1e3 * (b - a) for a, b in zip(self._marks, self._marks[1:], strict=False)]
