"""ONNX graphs through onnxruntime, an extra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.errors import InferenceError, ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.models.spec import ModelSpec

__all__ = ["OnnxPatchModel", "load_onnx"]

INSTALL = "pip install onnxruntime"


class OnnxPatchModel:
    """A graph as a patch model; it runs in float32.

    Attributes
    ----------
    spec : ModelSpec
    """

    def __init__(self, spec: ModelSpec, session: Any) -> None:
        self.spec = spec
        self._session = session
        self._input = session.get_inputs()[0].name
        self._mean = np.array(spec.mean, np.float32) * 255
        self._scale = 1 / (np.array(spec.std, np.float32) * 255)

    def predict(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities; see :class:`PatchModel`."""
        pixels = (batch.astype(np.float32) - self._mean) * self._scale
        feed = {self._input: np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))}
        try:
            out = np.asarray(self._session.run(None, feed)[0], np.float32)
        except _failures() as error:
            first = str(error).strip().splitlines()[0][:160]
            raise InferenceError(f"{self.spec.name} failed ({first}): try a smaller batch") from error
        depth, classes = 4 if self.spec.task == "segment" else 2, len(self.spec.classes)
        if out.ndim != depth or out.shape[1] != classes:
            raise InferenceError(
                f"{self.spec.name} gives {out.shape}, but its spec names {classes} classes: correct the spec"
            )
        ready = getattr(self.spec.adapter, "outputs", "logits") == "probabilities"
        return out if ready else _of_logits(out)


def _of_logits(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax over axis 1; sigmoid where there is one class."""
    if logits.shape[1] == 1:
        return np.asarray(np.exp(-np.logaddexp(0, -logits)), np.float32)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def load_onnx(spec: ModelSpec, path: Path, device: str, threads: int | None = None) -> OnnxPatchModel:
    """Open a graph from memory, so that it can draw in no other file.

    Raises
    ------
    ModelError
        If onnxruntime is missing, or the graph is damaged or of another shape.
    """
    try:
        import onnxruntime  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise ModelError(f"{spec.name} is an ONNX model, which needs onnxruntime: {INSTALL}") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    wanted = ["CUDAExecutionProvider"] * device.startswith("cuda") + ["CPUExecutionProvider"]
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    failures = _failures()
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers)
    except failures as error:
        first = str(error).strip().splitlines()[0][:160]
        raise ModelError(
            f"{path.name} cannot be opened as ONNX ({first}): export it again, with all weights in one file"
        ) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or not outputs or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
        raise ModelError(f"{path.name} must take one float input (n, 3, h, w): export it so")
    return OnnxPatchModel(spec, session)


def _failures() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises: classes of its own that derive from Exception alone."""
    from onnxruntime.capi import (  # type: ignore[import-not-found,unused-ignore]
        onnxruntime_pybind11_state as state,
    )

    own = [
        getattr(state, name, None) for name in ("Fail", "InvalidGraph", "InvalidProtobuf", "InvalidArgument")
    ]
    own += [getattr(state, name, None) for name in ("NotImplemented", "RuntimeException", "NoSuchFile")]
    return (OSError, RuntimeError, ValueError, *(kind for kind in own if isinstance(kind, type)))
