"""All commands and their options. Reading them imports nothing heavy."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from napari_her2 import __version__
from napari_her2.errors import UsageError
from napari_her2.vocabulary import DISCLAIMER, SCORES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["build_parser", "parse"]

UM_PER_PX_RANGE: Final = (0.02, 100.0)
WHITE_RANGE: Final = (100.0, 255.0)
PRECISIONS: Final = ("auto", "float32", "bfloat16", "float16")
_MAY_BE_NEGATIVE: Final = ("--region", "--rotate", "--size-um", "--warp-um")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read a command line.

    Raises
    ------
    UsageError
        If it is not understood.
    """
    return build_parser().parse_args(_joined(words))


def _joined(words: Sequence[str]) -> list[str]:
    """Write ``--region -5,0,10,10`` as one word; argparse takes ``-5,...`` for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in _MAY_BE_NEGATIVE and word[:1] == "-" and word[1:2].isdigit():
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are ours: one sentence and exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def um_per_px(text: str) -> float:
    """Read a pixel size within the range that a microscope can have."""
    value = _number(text)
    low, high = UM_PER_PX_RANGE
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text} µm/px is outside {low:g} to {high:g}: 0.25 is a 40x scan")
    return value


def white(text: str) -> tuple[float, ...]:
    """Read the colour of bare glass, three numbers between commas."""
    values = tuple(_number(part) for part in text.split(","))
    low, high = WHITE_RANGE
    if len(values) != 3 or not all(low <= value <= high for value in values):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no white: give red,green,blue of bare glass, each from {low:g} to {high:g}"
        )
    return values


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def fraction(text: str) -> float:
    """Read a number from 0 to below 1."""
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a fraction from 0 to below 1")
    return value


def positive_int(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def whole_number(text: str) -> int:
    """Read a whole number from 0."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def finite(text: str) -> float:
    """Read any finite number."""
    return _number(text)


def json_object(text: str) -> dict[str, Any]:
    """Read a JSON object in which no key stands twice."""
    try:
        value = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not JSON ({str(error)[:80]})") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is JSON, but not an object in braces")
    return value


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    doubles = {name for name in names if names.count(name) > 1}
    if doubles:
        raise ValueError(f"the key {min(doubles)!r} stands twice")
    return dict(pairs)


def region(text: str) -> tuple[int, int, int, int]:
    """Read ``x,y,w,h`` in level-0 pixels."""
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not x,y,width,height in whole pixels") from error
    if width < 1 or height < 1:
        raise argparse.ArgumentTypeError(f"{text!r} has no area: width and height must be at least 1")
    return x, y, width, height


def size_um(text: str) -> tuple[float, float]:
    """Read ``W,H`` in µm."""
    parts = [_number(part) for part in text.split(",")]
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not width,height in µm")
    return parts[0], parts[1]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``napari-her2`` with all its commands."""
    from napari_her2.cli.case_parser import add_case_commands
    from napari_her2.cli.cohort_parser import add_cohort_command

    parser = _Parser(
        prog="napari-her2",
        description="Scores HER2 on breast-cancer slides with their H&E neighbour, and shows why.",
        epilog=f"{DISCLAIMER} Exit codes: 0 done, 2 wrong usage, 3 an input cannot be used, 4 a model cannot "
        "be used, 5 not scorable (the report says why), 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"napari-her2 {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for add in (_info, _score, _cells, _rule, _phantom, _align, _map_points, _doctor, _demo, _bench):
        add(commands)
    for add in MODEL_COMMANDS:
        add(commands)
    add_case_commands(commands, _command)
    add_cohort_command(commands, _command)
    return parser


Commands = Any  # argparse keeps the type of its sub-parsers to itself


def _command(commands: Commands, name: str, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=what, description=what[0].upper() + what[1:] + ".", allow_abbrev=False
    )
    parser.set_defaults(module=name.replace("-", "_"))
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, all else on stderr")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _info(commands: Commands) -> None:
    parser = _command(commands, "info", "what a slide is: format, levels, pixel size, stain")
    parser.add_argument("slide", metavar="SLIDE", type=Path)


def _score(commands: Commands) -> None:
    parser = _command(commands, "score", "score a case: H&E and IHC, or IHC alone, slide or picture")
    parser.add_argument("--ihc", type=Path, required=True, help="the HER2 slide, or a picture of a field")
    parser.add_argument("--he", type=Path, help="the H&E slide of the same block")
    parser.add_argument("--out", type=Path, required=True, metavar="CASE", help="the case's folder")
    parser.add_argument("--um-per-px-ihc", type=um_per_px, metavar="X", help="pixel size of the IHC in µm")
    parser.add_argument("--um-per-px-he", type=um_per_px, metavar="X", help="pixel size of the H&E in µm")
    for slide, words in (("ihc", "the IHC"), ("he", "the H&E")):
        parser.add_argument(
            f"--white-{slide}",
            type=white,
            metavar="R,G,B",
            help=f"bare glass of {words}, where it shows none",
        )
    parser.add_argument("--roi", type=Path, metavar="FILE.geojson", help="tumour area drawn by a person")
    parser.add_argument("--rule", metavar="NAME", help="guideline; see `rule --list`")
    parser.add_argument("--ish", type=json_object, metavar="JSON", help="what ISH found")
    parser.add_argument("--engine", choices=("auto", "classical", "transformer"), help="default auto")
    for model in ("tumour", "stain", "segment"):
        parser.add_argument(f"--{model}-model", metavar="NAME", help="of the transformer engine")
    parser.add_argument("--device", metavar="auto|cpu|cuda[:N]|mps")
    parser.add_argument(
        "--exhaustive", action="store_true", default=None, help="let the tumour model see every patch"
    )
    parser.add_argument(
        "--stress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="call again with white, pixel size, stain and sharpness changed (default: no)",
    )
    parser.add_argument("--min-cells", type=positive_int, metavar="N", help="default 100, pictures 20")
    parser.add_argument(
        "--pieces", type=json_object, metavar="JSON", help='roles of the IHC\'s pieces: {"2": "control 3+"}'
    )
    parser.add_argument(
        "--calibrate", action="store_true", default=None, help="let named controls of 0 or 3+ set thresholds"
    )
    parser.add_argument(
        "--without-corrections", action="store_true", help="leave out what people corrected; it is kept"
    )
    parser.add_argument("--restart", action="store_true", help="forget what CASE holds and begin anew")


def _cells(commands: Commands) -> None:
    parser = _command(commands, "cells", "find and classify the cells of an IHC slide or picture")
    parser.add_argument("image", metavar="IMAGE", type=Path)
    parser.add_argument("--out", type=Path, required=True, metavar="CELLS.csv")
    parser.add_argument("--um-per-px", type=um_per_px, metavar="X")
    parser.add_argument("--region", type=region, metavar="x,y,w,h")


def _device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", metavar="auto|cpu|cuda[:N]|mps", default="auto")


def _predict(commands: Commands) -> None:
    parser = _command(commands, "predict", "run one model over a slide or region")
    parser.add_argument("slide", metavar="SLIDE", type=Path)
    parser.add_argument("--model", required=True, metavar="NAME", help="see `models list`, or a spec's path")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the result")
    parser.add_argument("--region", type=region, metavar="x,y,w,h")
    parser.add_argument("--um-per-px", type=um_per_px, metavar="X")
    parser.add_argument("--overlap", type=fraction, metavar="F", help="of a patch's side")
    parser.add_argument("--least-tissue", type=fraction, metavar="F", help="0 runs every patch")
    _device(parser)
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    parser.add_argument("--batch-size", type=positive_int, metavar="N")
    parser.add_argument("--threads", type=positive_int, metavar="N")


def _models(commands: Commands) -> None:
    parser = _command(commands, "models", "list, show, add or verify models")
    parser.add_argument("action", choices=("list", "show", "add", "verify"))
    parser.add_argument("name", nargs="?", metavar="NAME|PATH")
    parser.add_argument("--sha256", metavar="HASH", help="add: of the weights, as their source states it")
    parser.add_argument("--trust", action="store_true", help="add: let TorchScript run code on this machine")


def _evaluate(commands: Commands) -> None:
    parser = _command(commands, "evaluate", "measure predictions or a model, by case, with intervals")
    parser.add_argument("source", nargs="?", type=Path, metavar="CSV|FOLDER", help="see docs/evaluation.md")
    parser.add_argument("--phantoms", type=positive_int, metavar="N", help="draw N patches instead")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", metavar="NAME", help="runs on the folder or the phantoms")
    parser.add_argument("--against", metavar="NAME|CSV", help="a second model, or its CSV, on the same")
    parser.add_argument("--kind", choices=("phantom", "real"), help="what the data are")
    parser.add_argument("--event", metavar="CLASS[,CLASS]", help="what a decision would follow")
    parser.add_argument("--threshold", type=fraction, default=0.30, metavar="F", help="of the net benefit")
    parser.add_argument("--tolerance-um", type=finite, default=1.0, metavar="T", help="of boundary F1")
    parser.add_argument("--draws", type=positive_int, default=2000, metavar="N", help="of the bootstrap")
    parser.add_argument("--seed", type=whole_number, default=0, metavar="N")
    _device(parser)


def _train(commands: Commands) -> None:
    parser = _command(commands, "train", "train a model from a recipe, or go on with it")
    parser.add_argument("task", choices=("tumour", "stain", "segment", "tissue"))
    parser.add_argument("recipe", metavar="RECIPE", help="a YAML file, or a recipe of the package by name")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the run; default training/NAME")
    parser.add_argument("--minutes", type=finite, metavar="M", help="end the schedule properly by then")
    parser.add_argument("--restart", action="store_true", help="forget what DIR holds and begin anew")
    _device(parser)


MODEL_COMMANDS: Final = (_predict, _models, _evaluate, _train)


def _rule(commands: Commands) -> None:
    parser = _command(commands, "rule", "apply a guideline to counts of cells")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--counts", type=json_object, metavar="JSON")
    what.add_argument("--list", action="store_true", help="name the guidelines with their editions")
    parser.add_argument("--rule", metavar="NAME", default="asco-cap-breast-2023")
    parser.add_argument("--ish", type=json_object, metavar="JSON")
    parser.add_argument("--min-cells", type=positive_int, metavar="N", default=100)


def _phantom(commands: Commands) -> None:
    parser = _command(commands, "phantom", "render a synthetic H&E and IHC pair with its truth")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=whole_number, metavar="N")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--score", choices=SCORES)
    kind.add_argument("--mix", type=json_object, metavar="JSON", help="percent of tumour cells per class")
    parser.add_argument("--size-um", type=size_um, metavar="W,H")
    parser.add_argument("--rotate", type=finite, metavar="DEG")
    parser.add_argument("--warp-um", type=finite, metavar="A")
    for name in ("missing", "shrink", "in-situ"):
        parser.add_argument(f"--{name}", type=fraction, metavar="F")
    for name in ("mirror", "control", "pen", "fold", "blur"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--levels", type=positive_int, metavar="N", help="sections on each glass, to 4")
    parser.add_argument("--stain-seed", type=whole_number, metavar="N")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME=STRENGTH",
        help="a fault of real slides, 0 to 1; repeatable",
    )  # fmt: skip


def _align(commands: Commands) -> None:
    parser = _command(commands, "align", "bring an H&E and an IHC slide together")
    parser.add_argument("--he", type=Path, required=True)
    parser.add_argument("--ihc", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="MAPPING.json")
    parser.add_argument("--landmarks", type=Path, metavar="FILE.csv", help="he_x,he_y,ihc_x,ihc_y")
    parser.add_argument("--patches", type=Path, metavar="FILE.csv", help="write the patch pairs")
    parser.add_argument(
        "--matching", choices=("one-to-one", "area", "soft", "paper"), default="one-to-one",
        help="how --patches pairs them; default one-to-one",
    )  # fmt: skip
    parser.add_argument("--um-per-px-he", type=um_per_px, metavar="X")
    parser.add_argument("--um-per-px-ihc", type=um_per_px, metavar="X")


def _map_points(commands: Commands) -> None:
    parser = _command(commands, "map-points", "carry points from one slide to the other")
    parser.add_argument("--mapping", type=Path, required=True, metavar="MAPPING.json")
    parser.add_argument("--from", dest="source", choices=("he", "ihc"), required=True)
    parser.add_argument("--points", type=Path, required=True, metavar="IN.csv")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT.csv")


def _doctor(commands: Commands) -> None:
    _command(commands, "doctor", "what this machine has, and what to do about what it lacks")


def _bench(commands: Commands) -> None:
    parser = _command(commands, "bench", "the benchmarks, each against a floor of the same run")
    parser.add_argument("--only", type=_names, metavar="P1,P2,...", help="of P1, P2, P3, P6 to P10")
    parser.add_argument("--size", type=positive_int, default=4096, metavar="PX", help="of the large slide")
    parser.add_argument("--phantom-um", type=finite, default=2000.0, metavar="UM", help="side of the pair")
    parser.add_argument("--he", type=Path, metavar="SLIDE", help="for P2 in place of a phantom; for P6 too")
    parser.add_argument("--repeat", type=positive_int, default=3, metavar="N", help="interleaved runs")
    parser.add_argument("--model", default="tumour-tiny", metavar="NAME", help="of patches of H&E")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keeps the slides; else temporary")
    _device(parser)


def _names(text: str) -> list[str]:
    """Read names divided by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _demo(commands: Commands) -> None:
    parser = _command(commands, "demo", "the phantom case through the pipeline, then napari on it")
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR")
