"""Which engine workers load, and what tells its pictures from those of another."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.prior import load_prior


@dataclasses.dataclass(frozen=True)
class EngineChoice:
    """Arguments of `FusionEngine.load`, which a worker calls."""

    settings: FusionSettings
    checkpoint: Path | None = None
    device: str = 'auto'

    def load(self) -> FusionEngine:
        """Load it, on the GPU that Ray has given, if it has."""
        return FusionEngine.load(self.checkpoint, self.device, self.settings)

    def identity(self) -> dict[str, Any]:
        """What the pictures depend on, for a journal.

        :raises InputError: for a checkpoint that does not load.
        """
        from dig2dig_ros.evaluation.study import fingerprint  # needs the extra `evaluation`
        prior = load_prior(self.checkpoint, torch.device('cpu'))
        return {'settings': dataclasses.asdict(self.settings), 'device': self.device,
                'prior': f'{prior.kind} {fingerprint(prior)}'}
