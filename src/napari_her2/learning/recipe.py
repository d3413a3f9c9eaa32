"""A recipe: everything that a training run depends on, in one YAML file.

This is a border to files of users, hence pydantic: unknown keys and impossible values are refused here,
before anything is drawn or read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from napari_her2.errors import UsageError
from napari_her2.models import BLUEPRINTS, Blueprint, blueprint
from napari_her2.phantom.faults import FAULT_NAMES, unknown_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "STAINS",
    "TASKS",
    "Augment",
    "Data",
    "Phantoms",
    "Recipe",
    "Schedule",
    "Stage",
    "TaskName",
    "list_recipes",
    "read_recipe",
]

SCHEMA: Final = "napari-her2/recipe/1"
MOST_BYTES: Final = 200_000
TaskName = Literal["tumour", "stain", "segment", "tissue"]
TASKS: Final[Mapping[TaskName, str]] = {
    "tumour": "classify",
    "stain": "ordinal",
    "segment": "segment",
    "tissue": "segment",
}
"""What is trained, by the word of the command line, and what a blueprint calls its task."""
STAINS: Final[Mapping[TaskName, Literal["he", "ihc"]]] = {
    "tumour": "he",
    "stain": "ihc",
    "segment": "ihc",
    "tissue": "he",
}
"""The slide that each of them sees."""


def _known_fault(name: str) -> str:
    if name not in FAULT_NAMES:
        raise ValueError(unknown_fault(name))
    return name


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]
FaultName = Annotated[str, AfterValidator(_known_fault)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Phantoms(_Facts):
    """Patches drawn on the fly; each block of tissue comes from a scene of its own.

    Attributes
    ----------
    weight : float
        Share of patches beside folders and cases.
    size_um : (low, high)
        Side of the scenes.
    in_situ, artefacts, control : float
        Fraction of scenes with carcinoma in situ, with each of pen, fold and blur, with control tissue.
    uses : float
        How often a drawn patch is used (each time augmented anew) before it is dropped for good.
    pool : int
        Blocks that are held at a time.
    faults : mapping
        Strength (0 to 1), or low and high of a strength drawn per scene, by name of a fault.
    validation : int
        Patches of validation, from seeds that training never draws.
    """

    weight: float = Field(default=1.0, gt=0)
    size_um: tuple[float, float] = (700.0, 1400.0)
    in_situ: Share = 0.6
    artefacts: Share = 0.12
    control: Share = 0.15
    uses: float = Field(default=2.0, ge=1, le=1000)
    pool: int = Field(default=40, ge=1, le=2000)
    faults: dict[FaultName, Share | tuple[Share, Share]] = Field(default_factory=dict)
    validation: int = Field(default=300, ge=4, le=20_000)

    @model_validator(mode="after")
    def _sized(self) -> Self:
        if not 400 <= self.size_um[0] <= self.size_um[1] <= 5000:
            raise ValueError("size_um must be low and high, from 400 to 5000")
        for name, span in self.faults.items():
            if isinstance(span, tuple) and span[0] > span[1]:
                raise ValueError(f"faults: give {name} as low and high, {span[1]:g} and {span[0]:g}")
        return self


class LabelledPatches(_Facts):
    """Image files of patches at the model's µm/px.

    Attributes
    ----------
    folder : Path
        One sub-folder per class. The case of a patch is the part of its name before the first ``_``.
    table : Path or None
        CSV with ``patch,case,label`` instead; ``patch`` is relative to the folder.
    weight : float
    """

    folder: Path
    table: Path | None = None
    weight: float = Field(default=1.0, gt=0)


class CaseBundles(_Facts):
    """Cases of this program: tumour outlines and cells as a reader left them."""

    folders: tuple[Path, ...] = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0)


class Data(_Facts):
    """Where patches come from, and how files are split by case."""

    phantoms: Phantoms | None = None
    patches: LabelledPatches | None = None
    cases: CaseBundles | None = None
    validation_share: float = Field(default=0.2, gt=0, lt=1)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.phantoms is None and self.patches is None and self.cases is None:
            raise ValueError("name at least one of phantoms, patches and cases")
        return self


class Augment(_Facts):
    """Randomisation of stain and scanner; every number 0 is none of it.

    Attributes
    ----------
    haematoxylin, second : float
        Standard deviation of the factor on each stain (log10 OD). ``second`` is eosin or DAB: for HER2
        it must stay small, its strength is what is measured.
    vectors : float
        Of each component of the unit stain vectors.
    white : float
        Of the white point, relative.
    blur_px, noise : float
        Largest blur (standard deviation, px) and noise (grey values), each on a third of the patches.
    jpeg : Share
        Fraction of patches compressed once more, at quality 60 to 95.
    zoom : float
        Largest change of scale.
    turn : bool
        Flips and quarter turns.
    """

    haematoxylin: Share = 0.15
    second: Share = 0.15
    vectors: float = Field(default=0.02, ge=0, le=0.2)
    white: float = Field(default=0.015, ge=0, le=0.2)
    blur_px: float = Field(default=0.8, ge=0, le=5)
    noise: float = Field(default=4.0, ge=0, le=40)
    jpeg: Share = 0.3
    zoom: float = Field(default=0.08, ge=0, le=0.5)
    turn: bool = True


class Stage(_Facts):
    """Part of a run, up to a fraction of it, with its own size of patch and batch."""

    until: float = Field(default=1.0, gt=0, le=1)
    size_px: int | None = Field(default=None, ge=32, le=2048)
    batch: int = Field(default=32, ge=1, le=4096)


class Schedule(_Facts):
    """How long and how fast.

    Attributes
    ----------
    epochs, patches_per_epoch : int
        After each epoch comes a validation.
    max_minutes : float or None
        The schedule ends properly by then: learning rates follow the larger of the two fractions, of
        patches and of time.
    learning_rate, weight_decay, warmup, clip
        Of AdamW; ``warmup`` is the fraction before the cosine, ``clip`` the largest gradient norm.
    ema : float
        Decay per step of the moving average that is validated and kept.
    patience : int or None
        Epochs without a better validation after which training stops.
    precision : {"auto", "float32", "bfloat16"}
        ``auto``: bfloat16, which CPUs and cards of recent years compute in.
    balance : float
        0 takes patches as they come, 1 every kind of patch equally often.
    keep_tokens : float
        Share of a ViT's patch tokens that take part in a training step.
    dense : float
        Weight of what each token (ViT) or pixel (segmenter) is also taught where outlines are known.
    """

    epochs: Count = 20
    patches_per_epoch: Count = 1500
    max_minutes: float | None = Field(default=None, gt=0)
    stages: tuple[Stage, ...] = (Stage(),)
    learning_rate: float = Field(default=5e-4, gt=0, le=1)
    weight_decay: float = Field(default=0.05, ge=0, le=1)
    warmup: float = Field(default=0.06, ge=0, lt=1)
    clip: float = Field(default=1.0, gt=0)
    ema: float = Field(default=0.995, ge=0, lt=1)
    patience: Count | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    balance: Share = 0.8
    keep_tokens: float = Field(default=1.0, gt=0, le=1)
    dense: float = Field(default=1.0, ge=0, le=100)

    @model_validator(mode="after")
    def _staged(self) -> Self:
        ends = [stage.until for stage in self.stages]
        if not ends or ends != sorted(set(ends)) or ends[-1] != 1.0:
            raise ValueError("stages must rise and end with until: 1")
        return self


class Recipe(_Facts):
    """One training run.

    Attributes
    ----------
    task : {"tumour", "stain", "segment", "tissue"}
    model : str
        A plan of :data:`napari_her2.models.BLUEPRINTS`.
    options : dict
        Changes to that plan's timm architecture, e.g. another ``model``.
    name : str
        Of the model that comes out.
    seed : int
    licence : str
        Of the weights: say what the data allow.
    """

    schema_: Literal["napari-her2/recipe/1"] = Field(default=SCHEMA, alias="schema")
    task: TaskName
    model: str
    options: dict[str, Any] = Field(default_factory=dict)
    name: Name
    seed: int = Field(default=1, ge=0, lt=2**31)
    licence: str = Field(default="BSD-3-Clause", min_length=1, max_length=200)
    data: Data
    augment: Augment = Augment()
    schedule: Schedule = Schedule()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.model not in BLUEPRINTS:
            raise ValueError(f"there is no model {self.model!r}, choose one of {', '.join(BLUEPRINTS)}")
        plan = self.plan
        if plan.task != TASKS[self.task] or plan.stain != STAINS[self.task]:
            raise ValueError(f"{self.model} does not do the task {self.task!r}")
        if self.task == "tissue" and self.data.cases is not None:
            raise ValueError("data: cases do not say what is stroma, give phantoms or patches")
        for stage in self.schedule.stages:
            if plan.task != "segment" and stage.size_px not in (None, plan.size_px):
                raise ValueError(f"stages: {self.model} sees patches of {plan.size_px} px only")
        return self

    @property
    def plan(self) -> Blueprint:
        """The network and its facts."""
        from dataclasses import replace

        plan = blueprint(self.model)
        if not self.options:
            return plan
        changed = {**plan.adapter.model_dump(), **self.options}
        return replace(plan, adapter=type(plan.adapter).model_validate(changed))

    def to_json(self) -> dict[str, Any]:
        """Return the content of a file, with every default spelled out."""
        plain: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return plain


def _packaged() -> dict[str, Path]:
    folder = Path(__file__).with_name("recipes")
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def list_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    return tuple(_packaged())


def read_recipe(recipe: Path | str) -> Recipe:
    """Read a recipe by its file, or one of the package by name.

    Paths in it are relative to the file.

    Raises
    ------
    UsageError
        If it is missing, is no YAML, or asks for something impossible.
    """
    path = _packaged().get(str(recipe), Path(recipe))
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path.name} is too large for a recipe: give the YAML file")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path.name} cannot be read as a recipe: give a YAML file or one of {', '.join(list_recipes())}"
        ) from error
    return _understood(text, path)


def _understood(text: str, path: Path) -> Recipe:
    import yaml

    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(
            f"{path.name} is no YAML ({str(error).splitlines()[0][:120]}): correct it"
        ) from error
    if not isinstance(content, dict):
        raise UsageError(f"{path.name} holds no recipe: see docs/training.md for its fields")
    try:
        return _anchored(Recipe.model_validate(content), path.parent)
    except ValidationError as error:
        raise UsageError(
            f"{path.name} cannot be followed ({_said(error)}): see docs/training.md for its fields"
        ) from error


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    return (f"{where}: {what}" if where else what)[:240]


def _anchored(recipe: Recipe, folder: Path) -> Recipe:
    """Return the recipe with its paths made relative to where it lies."""
    data = recipe.data
    changes: dict[str, Any] = {}
    if data.patches is not None:
        table = data.patches.table
        found = {"folder": folder / data.patches.folder, "table": None if table is None else folder / table}
        changes["patches"] = data.patches.model_copy(update=found)
    if data.cases is not None:
        changes["cases"] = data.cases.model_copy(
            update={"folders": tuple(folder / case for case in data.cases.folders)}
        )
    return recipe.model_copy(update={"data": data.model_copy(update=changes)}) if changes else recipe
