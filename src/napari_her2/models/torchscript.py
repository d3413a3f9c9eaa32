"""TorchScript archives: they bring code, so nothing of them is opened by torch before it is trusted."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from napari_her2.errors import ModelError
from napari_her2.models.trust import is_trusted

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.models.places import Places
    from napari_her2.models.precision import Precision
    from napari_her2.models.spec import ModelSpec

__all__ = ["check_trust", "load_torchscript"]


def check_trust(spec: ModelSpec, places: Places) -> None:
    """See that the user trusts this very file.

    Raises
    ------
    ModelError
        If not.
    """
    if not is_trusted(spec.sha256, places):
        raise ModelError(
            f"{spec.weights} of {spec.name} is TorchScript, which runs code of its maker: if you trust its "
            f"source, say so with models add --trust (sha256 {spec.sha256[:12]}...)"
        )


def load_torchscript(spec: ModelSpec, path: Path, device: str, precision: Precision, places: Places) -> Any:
    """Return a trusted archive as a patch model.

    Parameters
    ----------
    spec, path
        The spec, and its weights, whose hash was checked.
    device, precision
        See :func:`napari_her2.models.load_model`.
    places : Places

    Raises
    ------
    ModelError
        If it is not trusted or cannot be opened.
    """
    check_trust(spec, places)
    import torch

    from napari_her2.models._scripted import ScriptedNetwork
    from napari_her2.models._torch_model import TorchPatchModel

    try:
        with warnings.catch_warnings():
            # torch calls TorchScript old in favour of torch.export; published models still come in it.
            warnings.filterwarnings("ignore", message=".*torch.jit.load", category=FutureWarning)
            archive = torch.jit.load(path, map_location="cpu")
    except (RuntimeError, OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0][:120]
        raise ModelError(
            f"{path.name} cannot be opened as TorchScript ({first}): export it again with this torch "
            f"({torch.__version__}) or an older one"
        ) from error
    return TorchPatchModel(spec, ScriptedNetwork(archive, spec), device, precision)
