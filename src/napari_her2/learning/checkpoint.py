"""What a run keeps so that a kill costs minutes: tensors as safetensors, the rest as JSON in the header."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.learning.recipe import Recipe

__all__ = ["Standing", "read_checkpoint", "recipe_key", "write_checkpoint"]

HEADER: Final = "napari-her2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a run has come.

    Attributes
    ----------
    step, seen, epoch : int
        Steps, patches and whole epochs done.
    stage, stage_start : int
        Index of the stage and the step at which it began.
    seconds : float
        Time used, over all parts of the run.
    end_s : float
        Time (s) that the last validation and the reference are expected to take.
    best, best_epoch
        Score of the best validation, and when.
    low : bool
        Whether it computes in bfloat16.
    rows : list of dict
        The log so far.
    losses : list of float
        Of this epoch's steps.
    done : bool
    """

    step: int = 0
    seen: int = 0
    epoch: int = 0
    stage: int = 0
    stage_start: int = 0
    seconds: float = 0.0
    end_s: float = 0.0
    best: float | None = None
    best_epoch: int = 0
    low: bool = False
    rows: tuple[dict[str, float], ...] = ()
    losses: tuple[float, ...] = field(default=())
    done: bool = False

    def having(self, **changes: Any) -> Standing:
        """Return a changed copy."""
        return replace(self, **changes)


def recipe_key(recipe: Recipe) -> str:
    """Digest of all that decides the course of a run, less the time it may take."""
    content = recipe.to_json()
    for name in ("max_minutes", "patience"):
        content["schedule"].pop(name)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_checkpoint(path: Path, key: str, standing: Standing, tensors: dict[str, Any]) -> None:
    """Write at once: a kill leaves the old file or the new one."""
    from safetensors.torch import save

    from napari_her2.store import write_bytes

    header = {HEADER: json.dumps({"key": key, "standing": asdict(standing)})}
    write_bytes(path, save(tensors, metadata=header))


def read_checkpoint(path: Path, key: str) -> tuple[Standing, dict[str, Any]]:
    """Read what a run kept.

    Raises
    ------
    UsageError
        If it belongs to another recipe, or is damaged.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()[HEADER])
        standing = Standing(**{name: _tuple(value) for name, value in facts["standing"].items()})
        tensors = dict(load_file(path))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path.name} is damaged ({str(error)[:80]}): start anew with --restart") from error
    if facts["key"] != key:
        raise UsageError(
            f"the folder {path.parent.name} holds a run of another recipe: choose another --out, or --restart"
        )
    return standing, tensors


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
