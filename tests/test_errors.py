"""The error tree, the words shared by all rooms, and events."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2 import errors, vocabulary
from napari_her2.events import Notice, Progress, StageDone, Steps, drain
from napari_her2.phantom import guideline_score
from napari_her2.scoring import CellCounts, apply_rule

CODES = {
    "Her2Error": 3,
    "UsageError": 2,
    "OutputError": 2,
    "SlideError": 3,
    "NoResolutionError": 3,
    "CaseError": 3,
    "ModelError": 4,
    "InferenceError": 4,
    "MappingError": 3,
}


def test_every_error_has_its_exit_code() -> None:
    found = {
        name: kind.exit_code
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.Her2Error)
    }
    assert found == CODES
    assert set(errors.__all__) == set(CODES)


def test_no_error_is_one_that_napari_swallows() -> None:
    """A RuntimeError in a worker is taken for a deleted Qt object and reaches nobody."""
    for name in errors.__all__:
        assert not issubclass(getattr(errors, name), RuntimeError)


def test_a_missing_pixel_size_names_file_and_option() -> None:
    error = errors.NoResolutionError(Path("/somewhere/private/slide.tif"), "--um-per-px-ihc")
    assert "slide.tif" in str(error)
    assert "--um-per-px-ihc" in str(error)
    assert "private" not in str(error)


def test_shared_words_fit_each_other() -> None:
    assert set(vocabulary.RASTER_LABELS) == {"background", *vocabulary.CELL_CLASSES, "unsure"}
    assert [vocabulary.RASTER_LABELS[name] for name in vocabulary.CELL_CLASSES] == [1, 2, 3, 4, 5]
    assert set(vocabulary.COLOURS) == {*vocabulary.CELL_CLASSES, "tumour"}
    assert vocabulary.CELL_CLASSES[:4] == vocabulary.SCORES
    assert vocabulary.EXCLUDED_REASONS[0] == ""
    for words in (vocabulary.FLAGS, vocabulary.EXCLUDED_REASONS, vocabulary.CELL_CLASSES):
        assert len(set(words)) == len(words)
    assert set(vocabulary.__all__) <= set(dir(vocabulary))


def _stage(events: list[Progress]) -> Steps[int]:
    yield from events
    return len(events)


def _stages() -> Steps[int]:
    first = yield from _stage([Progress("one", 1, 2), Progress("one", 2, 2)])
    yield StageDone("one", 0.1)
    yield Notice("half way")
    second = yield from _stage([Progress("two", 1, 1)])
    return first + second


def test_long_work_returns_its_result() -> None:
    assert drain(_stages()) == 3
    events = list(_stages())
    assert [type(event).__name__ for event in events] == [
        "Progress",
        "Progress",
        "StageDone",
        "Notice",
        "Progress",
    ]


def test_closing_a_generator_cancels_it() -> None:
    work = _stages()
    next(work)
    work.close()
    with pytest.raises(StopIteration):
        next(work)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 40), st.integers(0, 4000)), min_size=5, max_size=5))
def test_phantoms_and_scoring_state_the_same_guideline(numbers: list[int]) -> None:
    """The phantom has its own statement of the table; the two are held against each other."""
    counts = dict(zip(("3+", "2+", "unusual", "1+", "0"), numbers, strict=True))
    score = apply_rule(CellCounts.from_classes(counts), min_cells=1).score
    assert guideline_score(counts) == (score or "0")
