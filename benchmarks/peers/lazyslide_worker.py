"""One slide through LazySlide, in a venv of its own: ``lazyslide_worker.py SLIDE SPEC BATCH WORKERS``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from patch_network import Classifier, tell

UM_PER_PX = 0.25
"""Of the benchmark's slides."""


class Wrapped:
    """The face that ``tile_prediction`` asks for."""

    def __init__(self, network: Classifier) -> None:
        self.network = network
        self.columns = tuple(network.facts["classes"])

    def to(self, device: str) -> Wrapped:
        """Stay on the CPU."""
        self.network.to(device)
        return self

    def get_transform(self):
        """Of each tile."""
        return self.network.normalise()

    def predict(self, images, *args, **kwargs):
        """Probabilities by class."""
        found = self.network(images).numpy()
        return {name: found[:, k] for k, name in enumerate(self.columns)}


def main() -> None:
    import lazyslide as zs
    from wsidata import open_wsi

    slide, spec, batch, workers = sys.argv[1:]
    model = Wrapped(Classifier(Path(spec)))
    facts = model.network.facts
    wsi = open_wsi(slide)
    wanted = facts["um_per_px"] / UM_PER_PX
    level = min(enumerate(wsi.properties.level_downsample), key=lambda pair: abs(pair[1] - wanted))[0]
    zs.pp.tile_tissues(
        wsi,
        facts["size_px"],
        mpp=facts["um_per_px"],
        slide_mpp=UM_PER_PX,
        ops_level=level,
        tissue_key=None,
        background_filter=False,
    )
    began = time.perf_counter()
    zs.tl.tile_prediction(
        wsi, model, batch_size=int(batch), num_workers=int(workers), device="cpu", pbar=False
    )
    seconds = time.perf_counter() - began
    tiles = wsi.shapes["tiles"]
    corners = tiles.geometry.bounds[["minx", "miny"]].to_numpy()
    tell(seconds, corners, tiles[model.columns[-1]].to_numpy())


if __name__ == "__main__":
    main()
