"""Weights into networks and out of them: safetensors by default, compared name by name before loading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from napari_her2.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["compare_shapes", "load_weights", "save_weights", "shapes_in"]

WRAPPED_IN = ("state_dict", "model", "model_state_dict")


def save_weights(
    network: Any, path: Path, dtype: Literal["float32", "float16", "bfloat16"] = "float16"
) -> str:
    """Write a network's weights as safetensors, at once.

    Parameters
    ----------
    network : torch.nn.Module
    path : Path
    dtype : {"float32", "float16", "bfloat16"}
        Of the floating-point tensors; whole numbers stay as they are.

    Returns
    -------
    str
        SHA-256 of the file, for the spec.

    Raises
    ------
    ModelError
        If a tensor is not finite in that type.
    """
    import torch
    from safetensors.torch import save

    from napari_her2.store import write_bytes

    kind = getattr(torch, dtype)
    state = {}
    for name, tensor in network.state_dict().items():
        kept = tensor.detach().cpu()
        kept = (kept.to(kind) if kept.is_floating_point() else kept).contiguous().clone()
        if kept.is_floating_point() and not torch.isfinite(kept).all():
            raise ModelError(f"tensor {name} is not finite as {dtype}: save as float32, or train again")
        state[name] = kept
    return write_bytes(path, save(state, metadata={"format": "pt"}))


def shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a safetensors file, from its header alone.

    Raises
    ------
    ModelError
        If the header is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path.name} is damaged ({str(error)[:120]}): get it again from its source"
        ) from error


def compare_shapes(
    expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]], file: str, model: str
) -> None:
    """See that a file holds exactly the tensors of a network.

    Raises
    ------
    ModelError
        Names the first tensor that differs.
    """
    for name, shape in expected.items():
        if name not in found:
            what = f"it lacks {name} {shape}"
        elif tuple(found[name]) != tuple(shape):
            what = f"{name} is {tuple(found[name])} in the file, {tuple(shape)} in the model"
        else:
            continue
        raise ModelError(f"{file} does not fit {model}: {what}; check the spec's adapter and classes")
    extra = next((name for name in found if name not in expected), None)
    if extra is not None:
        raise ModelError(
            f"{file} does not fit {model}: it also holds {extra} {tuple(found[extra])}; check the "
            "spec's adapter"
        )


def load_weights(
    network: Any,
    path: Path,
    *,
    state_dict: bool,
    model: str,
    rename: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None,
) -> None:
    """Fill a network; half precision becomes float32.

    Parameters
    ----------
    network : torch.nn.Module
    path : Path
        Its hash and kind were checked before.
    state_dict : bool
        Whether it is a torch file; else safetensors.
    model : str
        For messages.
    rename : callable, optional
        Brings foreign names of tensors into those of the network.

    Raises
    ------
    ModelError
        If the file is damaged, holds code, does not fit, or holds numbers that are not finite.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    if not state_dict and rename is None:
        compare_shapes(expected, shapes_in(path), path.name, model)
    state = read_state_dict(path) if state_dict else _read_safetensors(path)
    state = state if rename is None else rename(state)
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    compare_shapes(expected, found, path.name, model)
    network.load_state_dict({name: _usable(tensor, name, path) for name, tensor in state.items()})


def _usable(tensor: Any, name: str, path: Path) -> Any:
    """Whole numbers as they are, all others finite and as float32."""
    if not tensor.is_floating_point():
        return tensor
    if not bool(tensor.isfinite().all()):
        raise ModelError(f"{path.name} holds numbers that are not finite in {name}: get it again")
    return tensor.float()


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path.name} is damaged ({str(error)[:120]}): get it again from its source"
        ) from error


def read_state_dict(path: Path) -> dict[str, Any]:
    """Tensors of a .pt or .pth file, read by torch's restricted reader.

    Raises
    ------
    ModelError
        If it asks for anything but tensors, or is damaged.
    """
    from _pickle import UnpicklingError  # only the name of what torch raises; nothing unpickles here

    import torch

    try:
        with path.open("rb") as file:  # by name, torch would choose a reader by the ending
            held = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, OSError, ValueError, EOFError, KeyError, TypeError) as error:
        first = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise ModelError(
            f"{path.name} holds more than plain tensors or is damaged ({first}): save the model's state_dict "
            "as safetensors"
        ) from error
    for name in WRAPPED_IN:
        if isinstance(held, dict) and isinstance(held.get(name), dict):
            held = held[name]
    if not isinstance(held, dict) or not all(isinstance(t, torch.Tensor) for t in held.values()):
        raise ModelError(f"{path.name} holds no state dict: save the model's state_dict as safetensors")
    return {str(name): tensor for name, tensor in held.items()}
