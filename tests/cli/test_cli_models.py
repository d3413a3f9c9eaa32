"""``models``, ``predict`` and ``evaluate`` from the outside: files, exit codes, what a kill leaves."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from tests.pipeline.steadfast import steadfast

from napari_her2.cli import main
from napari_her2.models import Places
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """The folders of a user who has no models yet."""
    made = Places.under(tmp_path / "places")
    monkeypatch.setattr("napari_her2.models.registry.standard_places", lambda: made)
    return made


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "classify": steadfast(folder / "c", "classify", 1),
        "ordinal": steadfast(folder / "l", "ordinal", 3, um_per_px=0.5),
        "segment": steadfast(folder / "m", "segment", 3),
    }


def asked(words: list[Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


# ------------------------------------------------------------------ models


def test_models_are_added_listed_shown_and_verified(
    places: Places, models: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(["models", "list"], capsys) == (0, {"models": []})
    code, added = asked(["models", "add", models["classify"]], capsys)
    assert (code, added["name"], added["origin"]) == (0, "steady-tumour", "user")
    listed = asked(["models", "list"], capsys)[1]["models"]
    assert [model["name"] for model in listed] == ["steady-tumour"]
    code, shown = asked(["models", "show", "steady-tumour"], capsys)
    assert (code, shown["um_per_px"], shown["sha256"]) == (0, 1.0, added["sha256"])
    assert asked(["models", "verify"], capsys)[0] == 0
    assert asked(["models", "verify", models["segment"]], capsys)[0] == 0
    weights = places.user / "steady-tumour.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    code, said = asked(["models", "verify"], capsys)
    assert code == 4
    assert "steady-tumour.safetensors" in said["error"]["message"]
    assert asked(["models", "verify", "steady-tumour"], capsys)[0] == 4


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("models", 2, "action"),
        ("models drop x", 2, "choice"),
        ("models show", 2, "needs a model"),
        ("models add", 2, "needs a model"),
        ("models list x", 2, "models show x"),
        ("models show x", 4, "no model 'x'"),
        ("models verify x", 4, "no model 'x'"),
        ("models add {tmp}/none.json", 4, "none.json"),
        ("models show x --trust", 2, "models add"),
        ("predict {pair}/he.ome.tif --out {tmp}/out", 2, "--model"),
        ("predict {pair}/he.ome.tif --model x --out {tmp}/out", 4, "no model 'x'"),
        ("predict {tmp}/none.svs --model {c} --out {tmp}/out", 3, "none.svs"),
        ("predict {pair}/he.ome.tif --model {c} --out {tmp}/out --region 0,0,99999,10", 3, "region"),
        ("predict {pair}/he.ome.tif --model {c} --out {tmp}/out --device cuda:77", 2, "cuda:77"),
        ("predict {pair}/he.ome.tif --model {c} --out {pair}", 2, "not of a prediction"),
        ("evaluate --out {tmp}/out", 2, "one of them"),
        ("evaluate {tmp}/none.csv --out {tmp}/out", 2, "does not exist"),
        ("evaluate {tmp} --out {tmp}/out", 2, "--model"),
        ("evaluate {tmp} --model {c} --out {tmp}/out", 2, "no pictures"),
        ("evaluate --phantoms 4 --model {c} --kind real --out {tmp}/out", 2, "phantoms"),
        ("evaluate {tmp} --phantoms 4 --out {tmp}/out", 2, "one of them"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: str,
    code: int,
    says: str,
    places: Places,
    models: dict[str, Path],
    pair: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in (("tmp", tmp_path), ("pair", pair), ("c", models["classify"])):
        words = words.replace(f"{{{name}}}", str(value))
    found, said = asked(words.split(), capsys)
    assert found == code
    assert says in said["error"]["message"]
    assert not (tmp_path / "out" / "prediction.json").exists()
    assert not (tmp_path / "out" / "evaluation.json").exists()


# ------------------------------------------------------------------ predict


def predict(pair: Path, model: Path, out: Path, *more: str) -> list[Any]:
    slide = "he" if "tumour" in model.name else "ihc"
    return ["predict", pair / f"{slide}.ome.tif", "--model", model, "--out", out, "--device", "cpu", *more]


def test_a_prediction_of_patches_can_be_read_by_others(
    pair: Path, models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pyarrow import parquet

    from napari_her2.slides import open_slide
    from napari_her2.store import read_multiscale, sha256_of

    out = tmp_path / "out"
    code, record = asked(predict(pair, models["ordinal"], out), capsys)
    assert code == 0
    assert record["schema"] == "napari-her2/prediction/1"
    assert record["patches"] == {"0": 0, "1+": 0, "2+": 0, "3+": record["asked"]["patches"]}
    assert str(tmp_path) not in (out / "prediction.json").read_text(), "no folder of the user"
    table = parquet.read_table(out / "patches.parquet").to_pydict()
    assert list(table) == [
        "slide", "row", "col", "x", "y", "width", "height", "um_per_px", "p_0", "p_1+", "p_2+", "p_3+",
        "label",
    ]  # fmt: skip
    assert set(table["label"]) == {"3+"}
    with open_slide(pair / "ihc.ome.tif") as slide:
        side = 32 * 0.5 / slide.um_per_px
    assert list(table["x"]) == [round(col * side) for col in table["col"]]
    labels, score = (read_multiscale(out / "rasters" / f"{n}.zarr") for n in ("label", "expected_score"))
    shown = np.asarray(labels.levels[0])
    assert shown[table["row"], table["col"]].min() == 4
    assert (shown > 0).sum() == len(table["row"])
    assert np.asarray(score.levels[0])[table["row"][0], table["col"][0]] == pytest.approx(3, abs=0.01)
    assert {name: sha256_of(out / name) for name in record["files"]} == record["files"]


def test_a_region_is_what_it_is_in_the_whole(
    pair: Path, models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = asked(predict(pair, models["segment"], tmp_path / "whole", "--least-tissue", "0"), capsys)[1]
    part = asked(
        predict(
            pair, models["segment"], tmp_path / "part", "--least-tissue", "0", "--region", "200,300,256,256"
        ),
        capsys,
    )[1]
    assert part["asked"]["region"] == [200, 300, 256, 256]
    assert 0 < part["asked"]["patches"] < whole["asked"]["patches"]
    assert 0 < part["area_mm2"]["2+"] < whole["area_mm2"]["2+"]
    assert whole["area_mm2"]["background"] == 0, "it says 2+ even on glass"


def test_an_equal_prediction_is_returned_and_another_replaces_it(
    pair: Path, models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = predict(pair, models["classify"], out)
    first = asked(words, capsys)[1]
    assert asked([*words, "--batch-size", "3"], capsys)[1] == first, "batches change nothing"
    (out / "patches.parquet").write_bytes(b"damaged")
    again = asked(words, capsys)[1]
    assert again["files"] == first["files"]
    other = asked([*words, "--overlap", "0.5"], capsys)[1]
    assert other["asked"]["patches"] > first["asked"]["patches"]


def test_a_stopped_prediction_never_looks_finished(
    pair: Path, models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from napari_her2.events import Progress
    from napari_her2.inference import PlanWishes
    from napari_her2.pipeline import PredictRequest, predict_slide

    out = tmp_path / "out"
    asked(predict(pair, models["classify"], out), capsys)
    request = PredictRequest(
        slide=pair / "he.ome.tif", model=str(models["classify"]), out=out, device="cpu",
        wishes=PlanWishes(overlap=0.25, batch_size=8),
    )  # fmt: skip
    steps = predict_slide(request)
    for event in steps:
        if isinstance(event, Progress) and event.stage == "predict":
            break
    steps.close()
    assert not (out / "prediction.json").exists()
    assert not (out / "patches.parquet").exists()
    code, record = asked(predict(pair, models["classify"], out, "--overlap", "0.25"), capsys)
    assert code == 0
    assert (out / "prediction.json").exists()
    assert record["asked"]["stride_px"] == 24


def test_a_slide_too_coarse_is_told_with_both_numbers(
    pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fine = steadfast(tmp_path / "fine", "classify", 0, um_per_px=0.1)
    code, said = asked(predict(pair, fine, tmp_path / "out"), capsys)
    assert code == 3
    assert "0.25" in said["error"]["message"]
    assert "0.1" in said["error"]["message"]


# ------------------------------------------------------------------ evaluate


def table(path: Path, *, columns: tuple[str, ...] = ("p0", "p1", "p2", "p3"), noise: float = 0.5) -> Path:
    rng = np.random.default_rng(5)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "truth", *columns])
        for k in range(240):
            truth = int(rng.integers(0, 4))
            p = np.exp(-((truth + noise * rng.normal() - np.arange(4)) ** 2) / 0.4)
            writer.writerow([f"case {k // 8}", SCORES[truth], *(f"{v:.7f}" for v in p / p.sum())])
    return path


def test_a_file_of_predictions_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    source = table(tmp_path / "l.csv")
    code, said = asked(["evaluate", source, "--out", out, "--draws", 300, "--kind", "real"], capsys)
    assert code == 0
    part = said["parts"][0]
    assert (part["kind"], part["samples"], part["cases"]) == ("real", 240, 30)
    values = {(e["name"], e["of"]): e for e in part["estimates"]}
    assert 0.6 < values["accuracy", ""]["value"] < 0.95
    assert values["quadratic weighted kappa", ""]["low"] > 0.7
    assert json.loads((out / "evaluation.json").read_text())["parts"] == said["parts"]
    rows = list(csv.DictReader((out / "evaluation.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len(part["estimates"])
    page = (out / "evaluation.html").read_text()
    for words in ("Real images", "quadratic weighted kappa", "<svg", "research use only", "30 cases"):
        assert words in page
    assert "http" not in page.replace("http-equiv", "")


def test_two_files_are_compared_on_the_same_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = table(tmp_path / "good.csv", noise=0.2), table(tmp_path / "bad.csv", noise=0.2)
    rows = list(csv.reader(bad.read_text(encoding="utf-8").splitlines()))
    worse = [[*row[:2], *row[3:], row[2]] if k % 3 == 1 else row for k, row in enumerate(rows)]
    with bad.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(worse)
    words = ["evaluate", good, "--against", bad, "--out", tmp_path / "out", "--draws", 300]
    said = asked(words, capsys)[1]
    gain = {(d["name"], d["of"]): d for d in said["parts"][0]["compared"]}["accuracy", ""]
    assert gain["low"] > 0.2
    assert "bad.csv" in (tmp_path / "out" / "evaluation.html").read_text()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("truth,p0\n0,1\n", "'case'"),
        ("case,p_a,p_b\n1,0.5,0.5\n", "'truth'"),
        ("case,truth,prediction\n", "no row"),
        ("case,truth,prediction\n,0,0\n", "line 2: case is empty"),
        ("case,truth,p_a,p_b\n1,a,0.5,0.5\n1,c,0.5,0.5\n", "line 3: truth 'c'"),
        ("case,truth,p_a,p_b\n1,a,0.5,x\n", "line 2: p_b is no number"),
        ("case,truth,p_a,p_b\n1,a,0.5,0.9\n", "sum to 1"),
        ("case,truth,probability\n1,a,0.5\n1,b,0.9\n1,c,0.9\n", "3 classes"),
        ("case,truth\n1,a\n2,b\n", "neither"),
    ],
)
def test_files_that_make_no_sense_name_the_line(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.csv").write_text(text)
    code, said = asked(["evaluate", tmp_path / "p.csv", "--out", tmp_path / "out"], capsys)
    assert code == 2
    assert says in said["error"]["message"]


def test_a_lone_probability_is_that_of_the_second_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"c{k},{'tumour' if k % 2 else 'other'},{0.9 if k % 2 else 0.2}" for k in range(40)]
    (tmp_path / "p.csv").write_text("case,truth,probability\n" + "\n".join(rows))
    part = asked(["evaluate", tmp_path / "p.csv", "--out", tmp_path / "out", "--draws", 100], capsys)[1][
        "parts"
    ][0]
    assert part["classes"] == ["other", "tumour"]
    values = {(e["name"], e["of"]): e["value"] for e in part["estimates"]}
    assert values["AUC", "tumour"] == 1
    assert values["sensitivity at specificity 0.95", "tumour"] == 1


def test_a_model_is_measured_on_a_folder_of_patches(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for label, count in (("other", 6), ("tumour", 10)):
        (tmp_path / "patches" / label).mkdir(parents=True)
        for k in range(count):
            picture = rng.integers(0, 256, (32, 32, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "patches" / label / f"case{k}_x.png"), picture)
    out = tmp_path / "out"
    words = ["evaluate", tmp_path / "patches", "--model", models["classify"], "--out", out, "--device", "cpu"]
    part = asked([*words, "--draws", 100], capsys)[1]["parts"][0]
    assert part["confusion"] == [[0, 6], [0, 10]], "it says tumour always"
    assert part["facts"]["model"] == "steady-tumour"
    again = asked(["evaluate", out / "predictions.csv", "--out", tmp_path / "again", "--draws", 100], capsys)[
        1
    ]
    assert again["parts"][0]["confusion"] == part["confusion"]


def test_a_segmenter_is_measured_on_pictures_of_labels(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "patches"
    folder.mkdir()
    lines = ["patch,case,label"]
    for k in range(3):
        truth = np.zeros((64, 64), np.uint8)
        truth[:32], truth[32:, 60:] = 3, 255
        cv2.imwrite(str(folder / f"{k}.png"), np.full((64, 64, 3), 90 * k, np.uint8))
        cv2.imwrite(str(folder / f"{k}.labels.png"), truth)
        lines.append(f"{k}.png,case {k},{k}.labels.png")
    (folder / "patches.csv").write_text("\n".join(lines))
    words = ["evaluate", folder, "--model", models["segment"], "--out", tmp_path / "out", "--device", "cpu"]
    part = asked([*words, "--draws", 100], capsys)[1]["parts"][0]
    values = {(e["name"], e["of"]): e for e in part["estimates"]}
    share = 32 * 64 / (64 * 64 - 32 * 4)
    assert values["IoU", "2+"]["value"] == pytest.approx(share)
    assert values["IoU", "background"]["value"] == 0
    assert values["IoU", "3+"]["value"] is None
    assert "at least 10" in values["IoU", "2+"]["note"]
    assert part["confusion"][3][3] == 3 * 32 * 64
