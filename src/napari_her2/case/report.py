"""The report as it is promised: ``report.json``, schema ``napari-her2/report/2``.

Every field is written, in this order; what did not apply is null, empty, or (a scorer) absent. Reports of
schema 1 are read as well: what they do not say was not looked at.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_her2.errors import CaseError
from napari_her2.vocabulary import DISCLAIMER, CellClass, Score

__all__ = [
    "REPORT_SCHEMA",
    "Agreement",
    "Call",
    "CallAgreement",
    "Cells",
    "FinalWord",
    "HePatches",
    "IhcPatches",
    "Ish",
    "MappingQuality",
    "ModelFacts",
    "Paper",
    "Patches",
    "PathStep",
    "Provenance",
    "Qc",
    "Reader",
    "Report",
    "RuleName",
    "ScorerSays",
    "SlideFacts",
    "Specimen",
    "StressMark",
    "UnreadStain",
    "White",
    "report_from_json",
]

REPORT_SCHEMA: Final = "napari-her2/report/2"
OLDER_SCHEMAS: Final = ("napari-her2/report/1",)
"""Read with what they lack as not looked at, written as :data:`REPORT_SCHEMA`."""

Fraction = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0)]
Her2Status = Literal["negative", "equivocal", "positive", "discordant", "indeterminate"]
Category = Literal["null", "ultralow", "low", "equivocal", "positive", "negative", "not_scorable"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PathStep(_Value):
    """One test of the guideline, in the order of evaluation."""

    test: str
    value: float | None
    threshold: float
    holds: bool


class RuleName(_Value):
    """A guideline and its edition."""

    name: str
    edition: str


class ScorerSays(_Value):
    """What one scorer says: its score, and the share of what it judged that has this score or a stronger one.

    For a 0 the share is that of 1+ or stronger. No score, or no share, where it could not answer. ``looked``
    is the part of the area that counts which it looked at; ``places`` are level-0 (x, y) of the IHC where it
    contradicts the cells most.
    """

    name: str
    score: Score | None
    share: Fraction | None = None
    interval: tuple[Fraction, Fraction] | None = None
    looked: Fraction | None = None
    places: tuple[tuple[float, float], ...] = ()


class CallAgreement(_Value):
    """Whether the scorers that looked beside the cells confirm the call, why, and what each of them says."""

    state: Literal["agree", "disagree", "not_checked"] = "not_checked"
    reason: str = ""
    scorers: tuple[ScorerSays, ...] = ()


class Call(_Value):
    """The guideline's answer with its reasons; see the contract for each field."""

    score: Score | None
    category: Category
    rule: RuleName
    reason: str
    path: tuple[PathStep, ...]
    flags: tuple[str, ...]
    borderline: bool
    reflex_ish: bool
    alternatives: dict[Score, Fraction]
    agreement: CallAgreement = CallAgreement()

    @model_validator(mode="after")
    def _alternatives_sum_to_one(self) -> Call:
        if self.alternatives and abs(sum(self.alternatives.values()) - 1) > 1e-6:
            raise ValueError("the probabilities of the alternatives must sum to 1")
        return self


class Cells(_Value):
    """How many cells count, how many do not and why, and their classes.

    ``in_doubt`` of those that count may be no invasive epithelium; ``not_epithelial_share`` of the nuclei in
    the tumour area were left out as none. Reports of before have neither.
    """

    evaluable: Count
    excluded: dict[str, Count]
    by_class: dict[CellClass, Count]
    in_doubt: Count | None = None
    not_epithelial_share: Fraction | None = None


class Ish(_Value):
    """What in-situ hybridisation found, as the reader entered it."""

    probe: Literal["dual", "single"]
    ratio: float | None = None
    her2_copies: float | None = None
    cells: Count | None = None
    recounted: bool = False
    group: Annotated[int, Field(ge=1, le=5)] | None = None


class Specimen(_Value):
    """What the reader entered about the specimen; no identifiers."""

    specimen: str | None = None
    site: Literal["primary", "metastasis"] | None = None
    antibody_clone: str | None = None
    scanner: str | None = None
    controls_adequate: bool | None = None
    fixation: str | None = None


class Reader(_Value):
    """A reader's own score."""

    score: Score | None
    her2_status: Her2Status
    reader: str
    time: str
    blind: bool
    reason: str


class FinalWord(_Value):
    """What counts in the end: the reader's word."""

    score: Score | None
    her2_status: Her2Status


class Paper(_Value):
    """The score by the paper's rule: the highest of the patches at 2+ or 3+."""

    score: Score | None
    coverage: dict[Score, Percent]
    n_patches: Count


class HePatches(_Value):
    """Patches of the H&E slide."""

    n: Count
    tumour: Count


class IhcPatches(_Value):
    """Patches of the IHC slide."""

    n: Count
    by_score: dict[Score, Count]


class Patches(_Value):
    """Patches of both slides and how many of them have a partner."""

    he: HePatches
    ihc: IhcPatches
    matched: Count
    unmatched: Count


class UnsureBand(_Value):
    """What lies nearer to the carried area's edge than the mapping's local error; nothing of it counts."""

    cells: dict[CellClass, Count]
    patches: dict[Score, Count]
    pixels_mm2: dict[Score, Annotated[float, Field(ge=0)]]


class MappingQuality(_Value):
    """How well the two slides were brought together; lengths in µm."""

    kind: str
    residual_um_p50: float | None
    residual_um_p90: float | None
    overlap_fraction: float | None
    min_jacobian: float | None
    injective: bool
    needs_review: bool
    reason: str | None


class Agreement(_Value):
    """Two scorers side by side; no fraction where they judged nothing in common."""

    scores: dict[str, Score | None]
    fraction_agreeing: Fraction | None


class White(_Value):
    """The colour of the light through bare glass, and where it comes from."""

    rgb: tuple[float, float, float]
    from_: str = Field(alias="from")


class UnreadStain(_Value):
    """Membrane-like staining in invasive tumour that belongs to no evaluable cell: of all such, in µm²."""

    share: Fraction
    area_um2: float = Field(ge=0)


class SizeCall(_Value):
    """The score if pixels had this size; null is not scorable."""

    um_per_px: float
    score: Score | None


class PixelSize(_Value):
    """The IHC's pixel size in µm: as stated, and the range that the tissue allows by the ruler named."""

    stated_um: float
    suggested_um: tuple[float, float] | None
    ruler: Literal["nuclei and fine structure", "nuclei", "fine structure", "none"]
    calls: tuple[SizeCall, ...] = ()


class Qc(_Value):
    """What the slide is like; areas in mm². The last three are null where nobody measured."""

    tissue_mm2: float
    excluded_mm2: dict[str, float]
    focus: float | None
    stain_drift: float | None
    unread_stain: UnreadStain | None = None
    white: dict[Literal["he", "ihc"], White] | None = None
    pixel_size: PixelSize | None = None


class StressMark(_Value):
    """The score under one change of the picture, in the words of ``what``; null is not scorable."""

    what: str
    score: Score | None


class ModelFacts(_Value):
    """A model that took part."""

    name: str
    sha256: str | None
    um_per_px: float
    licence: str
    trained_on: str
    metrics: dict[str, Any]


class SlideFacts(_Value):
    """A slide by its name and content; no path, no label."""

    name: str
    sha256: str
    um_per_px: float
    levels: tuple[dict[str, Any], ...]


class Provenance(_Value):
    """Where the result comes from; only ``started`` and ``seconds`` differ between equal runs."""

    slides: tuple[SlideFacts, ...]
    settings: dict[str, Any]
    versions: dict[str, str]
    started: str
    seconds: dict[str, float]
    guided: dict[str, dict[str, Any]] = Field(default_factory=dict)
    edits: tuple[dict[str, Any], ...] = ()


class Report(_Value):
    """All that is said about a case."""

    schema_: Literal["napari-her2/report/2"] = Field(default=REPORT_SCHEMA, alias="schema")
    call: Call
    percent: dict[CellClass, Percent]
    percent_ci95: dict[CellClass, tuple[float, float]]
    cells: Cells
    her2_status: Her2Status
    ish: Ish | None = None
    specimen: Specimen = Specimen()
    reader: Reader | None = None
    final: FinalWord | None = None
    h_score: Annotated[float, Field(ge=0, le=300)] | None
    coverage: dict[Score, Percent]
    paper: Paper | None
    patches: Patches
    mapping: MappingQuality | None
    unsure_band: UnsureBand | None = None
    agreement: dict[str, Agreement]
    qc: Qc
    stress: tuple[StressMark, ...] = ()
    models: tuple[ModelFacts, ...] = ()
    provenance: Provenance
    disclaimer: Literal["For research use only; not for diagnosis."] = DISCLAIMER

    @model_validator(mode="before")
    @classmethod
    def _from_older(cls, plain: Any) -> Any:
        return _upgraded(plain) if isinstance(plain, dict) and plain.get("schema") in OLDER_SCHEMAS else plain

    @property
    def provisional(self) -> bool:
        """Whether no person has confirmed the tumour area yet."""
        return "tumour_unconfirmed" in self.call.flags

    @property
    def scorable(self) -> bool:
        """Whether there is a score."""
        return self.call.score is not None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as they are written."""
        plain: dict[str, Any] = json.loads(self.to_json())
        return plain

    def to_json(self) -> str:
        """Return the text of ``report.json``."""
        plain = self.model_dump(mode="json", by_alias=True)
        return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _upgraded(plain: dict[str, Any]) -> dict[str, Any]:
    """Take a report of schema 1 as one of schema 2: nobody looked beside the cells unless a flag says so.

    Its scorers did not count as a check: L was never compared, nor one that could not answer.
    """
    call = plain.get("call")
    if not isinstance(call, dict):
        return {**plain, "schema": REPORT_SCHEMA}
    state = "disagree" if "scorers_disagree" in call.get("flags", ()) else "not_checked"
    return {**plain, "schema": REPORT_SCHEMA, "call": {**call, "agreement": {"state": state}}}


def report_from_json(text: str | bytes, name: str = "report.json") -> Report:
    """Read a report back.

    Raises
    ------
    CaseError
        If it is no report of this schema.
    """
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        why = f"{where}: {first['msg'][:160]}"
        raise CaseError(
            f"{name} is not a report of schema {REPORT_SCHEMA} ({why}): run the case again"
        ) from error
