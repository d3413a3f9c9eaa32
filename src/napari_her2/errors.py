"""Everything that napari-her2 raises on purpose.

::

    Her2Error                     exit code 3 unless said otherwise
    ├── UsageError                a wish that cannot be met as it was put (2)
    │   └── OutputError           a place that cannot be written (2)
    ├── SlideError                the file cannot be used as a slide (3)
    │   └── NoResolutionError     it states no pixel size (3)
    ├── CaseError                 a case bundle, table or annotation file cannot be used (3)
    ├── ModelError                weights missing, wrong hash, wrong shape (4)
    ├── InferenceError            a model failed while it ran (4)
    └── MappingError              two slides could not be aligned, a mapping file is unusable (3)

Each message is one sentence that names the file or the value and says what helps. "Not scorable"
is no error but a result: the report says why and the command ends with 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CaseError",
    "Her2Error",
    "InferenceError",
    "MappingError",
    "ModelError",
    "NoResolutionError",
    "OutputError",
    "SlideError",
    "UsageError",
]


class Her2Error(Exception):
    """Base of all errors of this package; the message is for the user.

    Attributes
    ----------
    exit_code : int
        What the command line returns (contract: 2 usage, 3 input, 4 model).
    """

    exit_code: ClassVar[int] = 3


class UsageError(Her2Error):
    """A wish that cannot be met as it was put."""

    exit_code = 2


class OutputError(UsageError):
    """A place that cannot be written."""


class SlideError(Her2Error):
    """The file cannot be used as a slide."""


class NoResolutionError(SlideError):
    """The slide states no pixel size and none was given."""

    def __init__(self, path: Path, option: str = "--um-per-px") -> None:
        super().__init__(f"{path.name} states no pixel size: give it with {option}, e.g. 0.25 for a 40x scan")
        self.path = path


class CaseError(Her2Error):
    """A case bundle, a table or an annotation file cannot be used."""


class ModelError(Her2Error):
    """A model's weights are missing, altered or do not fit."""

    exit_code = 4


class InferenceError(Her2Error):
    """A model failed while it ran."""

    exit_code = 4


class MappingError(Her2Error):
    """Two slides could not be aligned, or a mapping file is unusable."""
