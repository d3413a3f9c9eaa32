"""Many cases on a Dask cluster: one line of the manifest, one row of the summary."""

from __future__ import annotations

from napari_her2.cohort.crew import Crew
from napari_her2.cohort.manifest import CohortCase, read_manifest
from napari_her2.cohort.rows import CohortRow
from napari_her2.cohort.story import CohortRequest, run_cohort
from napari_her2.cohort.summary import CohortSummary

__all__ = [
    "CohortCase",
    "CohortRequest",
    "CohortRow",
    "CohortSummary",
    "Crew",
    "read_manifest",
    "run_cohort",
]
