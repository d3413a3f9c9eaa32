"""A report and a bundle as a finished run leaves them, for tests of rooms that read them."""

from __future__ import annotations

from typing import Any


def report_dict(**changes: Any) -> dict[str, Any]:
    """Return a valid report as plain values, with some fields changed."""
    report: dict[str, Any] = {
        "schema": "napari-her2/report/2",
        "call": {
            "score": "2+",
            "category": "equivocal",
            "rule": {"name": "asco-cap-breast-2023", "edition": "ASCO/CAP 2018, affirmed 2023"},
            "reason": "35.0 % of tumour cells show weak to moderate complete staining (> 10 %).",
            "path": [
                {"test": "intense complete staining > 10 %", "value": 3.0, "threshold": 10.0, "holds": False},
                {"test": "complete staining > 10 %", "value": 38.0, "threshold": 10.0, "holds": True},
            ],
            "flags": ["tumour_unconfirmed"],
            "borderline": False,
            "reflex_ish": True,
            "alternatives": {"2+": 0.97, "3+": 0.03},
            "agreement": {
                "state": "agree",
                "reason": "",
                "scorers": [
                    {
                        "name": "cells",
                        "score": "2+",
                        "share": 0.38,
                        "interval": [0.31, 0.45],
                        "looked": 1.0,
                        "places": [],
                    },
                    {
                        "name": "patches",
                        "score": "2+",
                        "share": 0.4,
                        "interval": [0.3, 0.5],
                        "looked": 0.2,
                        "places": [[512.0, 256.0]],
                    },
                ],
            },
        },
        "percent": {"3+": 3.0, "2+": 35.0, "unusual": 0.0, "1+": 30.0, "0": 32.0},
        "percent_ci95": {"3+": [1, 6], "2+": [30, 40], "unusual": [0, 1], "1+": [25, 35], "0": [27, 37]},
        "cells": {
            "evaluable": 400,
            "excluded": {"unsure_gate": 31},
            "by_class": {"3+": 12, "2+": 140, "unusual": 0, "1+": 120, "0": 128},
            "in_doubt": 22,
            "not_epithelial_share": 0.41,
        },
        "her2_status": "equivocal",
        "ish": None,
        "specimen": {
            "specimen": None,
            "site": None,
            "antibody_clone": None,
            "scanner": None,
            "controls_adequate": None,
            "fixation": None,
        },
        "reader": None,
        "final": None,
        "h_score": 109.0,
        "coverage": {"3+": 2.5, "2+": 30.1, "1+": 31.0, "0": 36.4},
        "paper": {"score": "3+", "coverage": {"3+": 2.5, "2+": 30.1, "1+": 31.0, "0": 36.4}, "n_patches": 9},
        "patches": {
            "he": {"n": 12, "tumour": 8},
            "ihc": {"n": 9, "by_score": {"0": 2, "1+": 3, "2+": 3, "3+": 1}},
            "matched": 7,
            "unmatched": 2,
        },
        "mapping": {
            "kind": "affine",
            "residual_um_p50": 4.0,
            "residual_um_p90": 9.0,
            "overlap_fraction": 0.9,
            "min_jacobian": 0.98,
            "injective": True,
            "needs_review": False,
            "reason": "tissue outlines and grey values agree",
        },
        "unsure_band": None,
        "agreement": {},
        "qc": {
            "tissue_mm2": 0.6,
            "excluded_mm2": {"pen": 0.0},
            "focus": 0.98,
            "stain_drift": 2.1,
            "unread_stain": {"share": 0.12, "area_um2": 5100.0},
            "white": {"ihc": {"rgb": [238.0, 239.0, 240.0], "from": "glass"}},
            "pixel_size": {
                "stated_um": 0.25,
                "suggested_um": [0.21, 0.3],
                "ruler": "nuclei and fine structure",
                "calls": [{"um_per_px": 0.2, "score": "2+"}],
            },
        },
        "stress": [{"what": "white + 3 %", "score": "2+"}],
        "models": [],
        "provenance": {
            "slides": [
                {"name": "he.ome.tif", "sha256": "0" * 64, "um_per_px": 0.25, "levels": []},
                {"name": "ihc.ome.tif", "sha256": "1" * 64, "um_per_px": 0.25, "levels": []},
            ],
            "settings": {"rule": {"value": "asco-cap-breast-2023", "source": "default"}},
            "versions": {"napari-her2": "0.1.0"},
            "started": "2026-11-21T10:00:00+00:00",
            "seconds": {"cells": 1.5},
            "guided": {},
            "edits": [],
        },
        "disclaimer": "For research use only; not for diagnosis.",
    }
    return {**report, **changes}
