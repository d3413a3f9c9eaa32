"""Models in the layout of the WSInfer zoo: ``config.json`` beside ``torchscript_model.pt``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from napari_her2.errors import ModelError
from napari_her2.models.adapters import TorchScriptAdapter
from napari_her2.models.spec import ModelSpec, said_briefly

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CONFIG", "WEIGHTS", "is_zoo_folder", "spec_of_zoo"]

CONFIG, WEIGHTS = "config.json", "torchscript_model.pt"


def is_zoo_folder(folder: Path) -> bool:
    """Whether both files of the layout are there."""
    return (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()


def spec_of_zoo(folder: Path, sha256: str) -> ModelSpec:
    """Translate a zoo folder's configuration; the model sees the same µm, at the size it resizes to.

    The zoo states neither stain nor licence; its models are for H&E.

    Parameters
    ----------
    folder : Path
    sha256 : str
        Of the archive.

    Raises
    ------
    ModelError
        If the configuration lacks something or asks for a step that is not known here.
    """
    from napari_her2.store import read_json

    config = read_json(folder / CONFIG)
    name = re.sub(r"[^a-z0-9._-]+", "-", folder.name.lower()).strip("-._") or "model"
    try:
        steps = {step["name"]: step.get("arguments", {}) for step in config["transform"]}
        unknown = sorted(set(steps) - {"Resize", "ToTensor", "Normalize"})
        if unknown:
            raise ModelError(
                f"{CONFIG} asks for the step {unknown[0]!r}, which is not known here: write a spec"
            )
        cut, size = int(config["patch_size_pixels"]), _resized(steps, int(config["patch_size_pixels"]))
        return ModelSpec(
            name=name[:64],
            task="classify",
            stain="he",
            um_per_px=float(config["spacing_um_px"]) * cut / size,
            size_px=size,
            mean=steps.get("Normalize", {}).get("mean", (0, 0, 0)),
            std=steps.get("Normalize", {}).get("std", (1, 1, 1)),
            classes=tuple(config["class_names"]),
            adapter=TorchScriptAdapter(),
            weights=WEIGHTS,
            sha256=sha256,
            licence="not stated in the zoo's configuration",
            trained_on=f"not stated; architecture {config.get('architecture', 'unknown')}",
        )
    except ValidationError as error:
        raise ModelError(f"{CONFIG} cannot be used ({said_briefly(error)}): correct it") from error
    except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
        raise ModelError(f"{CONFIG} is not in the WSInfer zoo's form ({error!r:.120}): correct it") from error


def _resized(steps: dict[str, Any], otherwise: int) -> int:
    size = steps.get("Resize", {}).get("size", otherwise)
    if isinstance(size, list | tuple):
        if len(set(size)) != 1:
            raise ModelError(f"{CONFIG} resizes to {list(size)}, but patches are square: write a spec")
        size = size[0]
    return int(size)
