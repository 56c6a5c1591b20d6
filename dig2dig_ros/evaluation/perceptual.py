"""LPIPS, where its weights are on the disk: nothing is ever downloaded."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

BACKBONE = 'alexnet-owt-7be5be79.pth'  # torchvision's name for the file


def load_lpips() -> tuple[
        Callable[[str, np.ndarray, Sequence[np.ndarray]], dict[str, float]] | None, str]:
    """Load LPIPS (Zhang et al. 2018, AlexNet), through torchmetrics.

    :returns: a score for `evaluate`, {'LPIPS': mean over the sources}, lower is better; or None
        and why not, in one line.
    """
    import torch

    backbone = Path(torch.hub.get_dir()) / 'checkpoints' / BACKBONE
    if not backbone.is_file():
        return None, f'LPIPS is left out: its weights are not at {backbone}'
    try:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
        network = LearnedPerceptualImagePatchSimilarity(net_type='alex')
    except (ImportError, RuntimeError) as error:
        return None, f'LPIPS is left out: {str(error).splitlines()[0]}'

    def score(
            method: str, fused: np.ndarray,
            sources: Sequence[np.ndarray]) -> dict[str, float]:
        with torch.inference_mode():
            values = [float(network(_tensor(fused), _tensor(source))) for source in sources]
        return {'LPIPS': float(np.mean(values))}

    return score, ''


def _tensor(image: np.ndarray):
    """Luminance as 1 x 3 x H x W in [-1, 1], what LPIPS takes."""
    import torch

    from dig2dig_ros.evaluation.metrics import luminance
    grey = torch.from_numpy(luminance(image)).float() / 127.5 - 1
    return grey.expand(1, 3, *grey.shape)
