"""The facts that travel with a model's weights: a JSON file beside them.

This is the border to files of others, hence pydantic: unknown keys, impossible sizes and names that
point elsewhere are refused here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from napari_her2.errors import CaseError, ModelError
from napari_her2.models.adapters import Adapter  # noqa: TC001 - pydantic needs it

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SCHEMA", "Metric", "ModelSpec", "ReferenceFile", "read_spec", "said_briefly", "write_spec"]

SCHEMA: Final = "napari-her2/model/1"
MOST_BYTES: Final = 1_000_000  # of a spec; a larger file is something else

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
ClassName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Colour = tuple[float, float, float]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Metric(_Facts):
    """One measured figure with its interval.

    Attributes
    ----------
    name : str
        For example ``"AUC"``.
    value, low, high : float
        Estimate and 95 % interval.
    kind : {"phantom", "real"}
        What it was measured on; the two are never shown in one column.
    data : str
        Data and protocol in a sentence.
    n : int or None
        Number of independent units (cases, not patches, where there are cases).
    """

    name: ClassName
    value: float
    low: float
    high: float
    kind: Literal["phantom", "real"]
    data: Text
    n: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.name}: {self.value} lies outside {self.low} to {self.high}")
        return self


class ReferenceFile(_Facts):
    """Side file with features of the training data, for :mod:`napari_her2.models.outside`."""

    file: FileName
    sha256: Sha256


class ModelSpec(_Facts):
    """What must be known to run a model correctly; saved beside its weights.

    Attributes
    ----------
    name : str
        Lower case, for the registry and the command line.
    task : {"classify", "ordinal", "segment"}
        Probabilities per patch, per patch with ordered classes, or per pixel.
    stain : {"he", "ihc"}
    um_per_px : float
        Pixel size the model was trained at.
    coarsest_um_per_px : float or None
        Coarsest slide it accepts; None allows 15 % above ``um_per_px``.
    size_px : int
        Side of a patch.
    mean, std : tuple of three float
        Normalisation of pixels scaled to 0..1.
    classes : tuple of str
        In the order of the outputs.
    adapter : Adapter
        How the network is made, discriminated by ``kind``.
    weights : str
        File name beside the spec; no folders.
    sha256 : str
        Of the weights.
    licence, trained_on : str
        For people, and copied into each report.
    metrics : tuple of Metric
    reference : ReferenceFile or None
        For the warning about patches unlike the training data.
    made_with : dict
        Versions of the libraries that named the tensors.
    """

    schema_: Literal["napari-her2/model/1"] = Field(default=SCHEMA, alias="schema")
    name: Name
    task: Literal["classify", "ordinal", "segment"]
    stain: Literal["he", "ihc"]
    um_per_px: float = Field(ge=0.02, le=100)
    coarsest_um_per_px: float | None = Field(default=None, ge=0.02, le=200)
    size_px: int = Field(ge=16, le=4096)
    mean: Colour
    std: Colour
    classes: tuple[ClassName, ...] = Field(min_length=1, max_length=256)
    adapter: Adapter
    weights: FileName
    sha256: Sha256
    licence: Text
    trained_on: Text
    metrics: tuple[Metric, ...] = Field(default=(), max_length=200)
    reference: ReferenceFile | None = None
    made_with: dict[ClassName, ClassName] = Field(default_factory=dict, max_length=32)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if min(self.std) <= 0:
            raise ValueError("std must be above 0")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("two classes have the same name")
        if self.task not in self.adapter.tasks:
            raise ValueError(f"a {self.adapter.kind} model cannot {self.task}")
        if self.task == "ordinal" and len(self.classes) < 2:
            raise ValueError("an ordinal model needs two classes or more")
        if self.coarsest_um_per_px is not None and self.coarsest_um_per_px < self.um_per_px:
            raise ValueError("coarsest_um_per_px must not be finer than um_per_px")
        return self

    @property
    def size_um(self) -> float:
        """Side of a patch in µm."""
        return self.size_px * self.um_per_px

    def facts(self) -> dict[str, Any]:
        """Return what a report says about the model (contracts, section 3)."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "um_per_px": self.um_per_px,
            "licence": self.licence,
            "trained_on": self.trained_on,
            "metrics": {f"{m.name} ({m.kind})": [m.value, m.low, m.high] for m in self.metrics},
        }

    def to_json(self) -> dict[str, Any]:
        """Return the file's content."""
        plain: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return plain


def said_briefly(error: ValidationError) -> str:
    """Return the first finding of pydantic as half a sentence."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    what = re.sub(r"^Value error, ", "", first["msg"])
    return f"{where}: {what}"[:240] if where else what[:240]


def read_spec(path: Path) -> ModelSpec:
    """Read a spec.

    Raises
    ------
    ModelError
        If it is missing, not a spec, or holds something impossible.
    """
    from napari_her2.store import read_json

    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(
                f"{path.name} is too large for a model's spec: give the JSON file, not the weights"
            )
        return ModelSpec.model_validate(read_json(path))
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read ({error.strerror or error}): check its name") from error
    except CaseError as error:
        raise ModelError(str(error)) from error
    except ValidationError as error:
        raise ModelError(
            f"{path.name} is no usable model spec ({said_briefly(error)}): see docs/models.md for its fields"
        ) from error


def write_spec(spec: ModelSpec, path: Path) -> None:
    """Write a spec at once; it belongs beside the weights it names."""
    from napari_her2.store import write_json

    write_json(path, spec.to_json())
