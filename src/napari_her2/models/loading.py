"""From a spec and its folder to a ready model: hash, kind and shapes first, code last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_her2.models.adapters import OnnxAdapter, TorchScriptAdapter, adapter_name
from napari_her2.models.files import beside, check_hash, check_kind
from napari_her2.models.places import Places, standard_places

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.models.face import PatchModel
    from napari_her2.models.precision import Precision
    from napari_her2.models.spec import ModelSpec

__all__ = ["check_fits", "load_from"]


def load_from(
    spec: ModelSpec,
    folder: Path,
    *,
    device: str = "cpu",
    precision: Precision = "float32",
    places: Places | None = None,
) -> PatchModel:
    """Load the model whose spec lies in ``folder``.

    Parameters
    ----------
    spec : ModelSpec
    folder : Path
        Where spec and weights lie.
    device : str
        As torch names it.
    precision : {"float32", "bfloat16", "float16"}
    places : Places, optional
        Where the record of trust lies.

    Raises
    ------
    ModelError
        If the weights are missing, altered, of another kind, not trusted, or do not fit.
    """
    path = beside(folder, spec.weights)
    check_hash(path, spec.sha256)
    kind = check_kind(path, spec)
    if isinstance(spec.adapter, TorchScriptAdapter):
        from napari_her2.models.torchscript import load_torchscript

        model: PatchModel = load_torchscript(spec, path, device, precision, places or standard_places())
        return model
    if isinstance(spec.adapter, OnnxAdapter):
        from napari_her2.models.onnx_model import load_onnx

        return load_onnx(spec, path, device)
    network = _filled(spec, path, kind == "state")
    from napari_her2.models._torch_model import TorchPatchModel

    return TorchPatchModel(spec, network, device, precision)


def _filled(spec: ModelSpec, path: Path, state_dict: bool) -> Any:
    from napari_her2.models.network import build_network
    from napari_her2.models.weights import load_weights

    network = build_network(spec)
    load_weights(network, path, state_dict=state_dict, model=adapter_name(spec.adapter))
    return network


def check_fits(spec: ModelSpec, folder: Path) -> None:
    """See that weights are what the spec says, as far as that goes without running their code.

    Raises
    ------
    ModelError
        As :func:`load_from`, but TorchScript and ONNX are not opened.
    """
    path = beside(folder, spec.weights)
    check_hash(path, spec.sha256)
    kind = check_kind(path, spec)
    if not isinstance(spec.adapter, TorchScriptAdapter | OnnxAdapter):
        _filled(spec, path, kind == "state")
