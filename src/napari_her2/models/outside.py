"""Do patches look unlike the training data? Distances of features, calibrated on held-out patches."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_her2.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Novelty", "Reference", "fit_reference", "read_reference", "write_reference"]

Kind = Literal["mahalanobis", "knn"]
Z: Final = 2.576  # 99 % confidence that the share of strange patches is high
CHUNK: Final = 1024  # patches compared at once
TENSORS: Final = ("mean", "transform", "samples")
NUMBERS: Final = ("threshold", "quantile", "alarm_share", "k")


@dataclass(frozen=True, slots=True)
class Novelty:
    """How a slide's patches compare with the training data.

    Attributes
    ----------
    share : float
        Fraction of patches beyond the threshold.
    expected : float
        What it would be for data like the training data.
    unlike : bool
        Whether the share is, with 99 % confidence, above what the reference tolerates.
    """

    share: float
    expected: float
    unlike: bool


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Reference:
    """Features of the training data in short form, with a calibrated threshold.

    Attributes
    ----------
    kind : {"mahalanobis", "knn"}
    mean : ndarray of shape (d,)
    transform : ndarray of shape (d, d)
        Distances are Euclidean after (x - mean) @ transform: whitening, or division by the spread.
    samples : ndarray of shape (m, d)
        Transformed training features for ``knn``; empty otherwise.
    k : int
        Distance to the k-th nearest of them.
    threshold : float
        Distance that the fraction ``quantile`` of held-out patches stays within.
    quantile : float
    alarm_share : float
        Tolerated fraction of patches beyond the threshold.
    """

    kind: Kind
    mean: NDArray[np.float32]
    transform: NDArray[np.float32]
    samples: NDArray[np.float32]
    k: int
    threshold: float
    quantile: float
    alarm_share: float

    def distances(self, features: ArrayLike) -> NDArray[np.float64]:
        """Distances (n,) of feature vectors (n, d) from the training data."""
        return _distances(_checked(features, len(self.mean)), self.mean, self.transform, self.samples, self.k)

    def judge(self, features: ArrayLike) -> Novelty:
        """Compare a slide's patches; neighbouring patches are alike, hence the tolerance."""
        far = self.distances(features) > self.threshold
        n, share = len(far), float(far.mean()) if len(far) else 0.0
        return Novelty(share, 1 - self.quantile, n > 0 and _wilson_low(share, n) > self.alarm_share)


def _checked(features: ArrayLike, width: int | None = None) -> NDArray[np.float64]:
    values = np.asarray(features, np.float64)
    if values.ndim != 2 or (width is not None and values.shape[1] != width):
        raise ValueError(f"features must be (n, {width or 'd'}), got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("features must be finite")
    return values


def _wilson_low(share: float, n: int) -> float:
    """Lower end of Wilson's interval."""
    middle = share + Z**2 / (2 * n)
    return float((middle - Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))) / (1 + Z**2 / n))


def _distances(
    features: NDArray[np.float64], mean: ArrayLike, transform: ArrayLike, samples: NDArray[np.float32], k: int
) -> NDArray[np.float64]:
    placed = (features - np.asarray(mean, np.float64)) @ np.asarray(transform, np.float64)
    if not len(samples):
        return np.asarray(np.linalg.norm(placed, axis=1))
    parts = [
        _to_kth(placed[start : start + CHUNK], samples.astype(np.float64), k)
        for start in range(0, len(placed), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _to_kth(points: NDArray[np.float64], samples: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    squares = (points**2).sum(1)[:, None] + (samples**2).sum(1) - 2 * points @ samples.T
    return np.sqrt(np.maximum(np.partition(squares, k - 1, axis=1)[:, k - 1], 0))


def shrunk_covariance(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance (d, d) of centred features (n, d), drawn towards a multiple of the identity.

    Ledoit & Wolf 2004: the least expected squared error among such mixtures.
    """
    n, d = centred.shape
    raw = centred.T @ centred / n
    scale = np.trace(raw) / d
    spread = ((raw - scale * np.eye(d)) ** 2).sum()
    noise = ((centred**2).T @ (centred**2) / n - raw**2).sum() / n
    weight = 0.0 if spread <= 0 else min(noise / spread, 1.0)
    return np.asarray((1 - weight) * raw + weight * scale * np.eye(d))


def _transform(centred: NDArray[np.float64], kind: Kind) -> NDArray[np.float64]:
    """Division by each feature's spread, and for one ellipsoid whitening after it."""
    spread = centred.std(axis=0)
    scales = 1 / np.maximum(spread, max(1e-6 * float(spread.max()), 1e-12))
    if kind == "knn":
        return np.diag(scales)
    values, vectors = np.linalg.eigh(shrunk_covariance(centred * scales))
    whitening = vectors / np.sqrt(np.maximum(values, 1e-6 * float(values.max())))
    return np.asarray(scales[:, None] * whitening)


def fit_reference(
    features: ArrayLike,
    held_out: ArrayLike,
    *,
    kind: Kind = "mahalanobis",
    quantile: float = 0.99,
    alarm_share: float = 0.05,
    k: int = 10,
) -> Reference:
    """Describe the training data and calibrate the threshold.

    Parameters
    ----------
    features : array of shape (n, d)
        Of training patches.
    held_out : array of shape (m, d)
        Of patches of other cases; the threshold is their conformal quantile, so that of data like
        them at most 1 - ``quantile`` lies beyond it.
    kind : {"mahalanobis", "knn"}
        One ellipsoid, or the distance to the k-th nearest training patch (for features in clusters).
    quantile, alarm_share, k
        See :class:`Reference`.

    Raises
    ------
    ValueError
        If there are too few patches for the quantile or for k.
    """
    train, test = _checked(features), _checked(held_out)
    least = int(np.ceil(1 / (1 - quantile)))
    if len(test) < least or len(train) <= max(k, 2):
        raise ValueError(f"too few patches: {len(train)} (more than {k}) and {len(test)} (at least {least})")
    mean = train.mean(axis=0)
    transform = _transform(train - mean, kind)
    samples = ((train - mean) @ transform if kind == "knn" else train[:0]).astype(np.float32)
    away = np.sort(_distances(test, mean, transform, samples, k))
    rank = min(int(np.ceil((len(test) + 1) * quantile)), len(test))
    return Reference(
        kind=kind, mean=mean.astype(np.float32), transform=transform.astype(np.float32), samples=samples, k=k,
        threshold=float(away[rank - 1]), quantile=quantile, alarm_share=alarm_share,
    )  # fmt: skip


def write_reference(reference: Reference, path: Path) -> str:
    """Write the side file and return its SHA-256, for the spec."""
    from safetensors.numpy import save

    from napari_her2.store import write_bytes

    facts = {name: getattr(reference, name) for name in (*NUMBERS, "kind")}
    tensors = {name: np.ascontiguousarray(getattr(reference, name)) for name in TENSORS}
    return write_bytes(path, save(tensors, metadata={"reference": json.dumps(facts)}))


def read_reference(path: Path) -> Reference:
    """Read a side file, whose hash the spec states.

    Raises
    ------
    ModelError
        If it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            facts = json.loads(file.metadata()["reference"])
            arrays = {name: file.get_tensor(name) for name in TENSORS}
        numbers: dict[str, Any] = {name: float(facts[name]) for name in NUMBERS} | {"k": int(facts["k"])}
        kind: Kind = "knn" if facts["kind"] == "knn" else "mahalanobis"
        return Reference(kind=kind, **arrays, **numbers)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path.name} is no reference of features ({str(error)[:100]}): get the model again"
        ) from error
