"""One slide through TIAToolbox, in a venv of its own: ``tiatoolbox_worker.py SLIDE SPEC BATCH WORKERS``."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from patch_network import Classifier, tell
from tiatoolbox.models.engine.io_config import IOPatchPredictorConfig
from tiatoolbox.models.engine.patch_predictor import PatchPredictor
from tiatoolbox.models.models_abc import ModelABC


class Wrapped(ModelABC):
    """The face that the predictor asks for."""

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.network = network
        self.mean, self.std = (torch.tensor(network.facts[name]).view(1, 3, 1, 1) for name in ("mean", "std"))

    def forward(self, images):
        """Probabilities of uint8 pixels (n, h, w, 3)."""
        return self.network((images.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std)

    @staticmethod
    def infer_batch(model, batch_data, *, device):
        """Probabilities of a batch."""
        with torch.inference_mode():
            return model(batch_data.to(device)).cpu().numpy()


def main() -> None:
    slide, spec, batch, workers = sys.argv[1:]
    network = Classifier(Path(spec))
    side, um = network.facts["size_px"], network.facts["um_per_px"]
    at = [{"units": "mpp", "resolution": um}]
    config = IOPatchPredictorConfig(
        input_resolutions=at, output_resolutions=at, patch_input_shape=(side, side), stride_shape=(side, side)
    )
    predictor = PatchPredictor(
        model=Wrapped(network), batch_size=int(batch), num_workers=int(workers), device="cpu", verbose=False
    )
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        found = predictor.run(
            [Path(slide)],
            patch_mode=False,
            ioconfig=config,
            auto_get_mask=False,
            return_probabilities=True,
            return_coordinates=True,
            output_type="zarr",
            save_dir=Path(out) / "save",
        )
        seconds = time.perf_counter() - began
        import zarr

        held = zarr.open(str(next(iter(found.values()))), mode="r")
        corners = np.asarray(held["coordinates"])[:, :2] * round(um / 0.25)
        tell(seconds, corners, np.asarray(held["probabilities"])[:, -1])


if __name__ == "__main__":
    main()
