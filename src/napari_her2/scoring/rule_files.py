"""Guidelines as data: rules are YAML files, checked when they are read."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, get_args

from napari_her2.errors import UsageError
from napari_her2.scoring.counts import COLUMNS
from napari_her2.scoring.guideline import (
    DEFAULT_RULE,
    Category,
    FlagIfPresent,
    Floor,
    IshTable,
    Otherwise,
    Rule,
    RuleTest,
    Status,
)
from napari_her2.vocabulary import FLAGS, SCORES, Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["list_rules", "load_rule", "parse_rule"]

_SCHEMA: Final = "napari-her2/rule/1"
_ORDER: Final = ("asco-cap-breast-2023", "gastric-resection", "gastric-biopsy", "paper-max")
_GROUPS: Final = (1, 2, 3, 4, 5)
_BANDS: Final = ("high", "middle", "low")


@lru_cache(maxsize=1)
def list_rules() -> tuple[Rule, ...]:
    """All rules of the package, the default first."""
    return tuple(load_rule(name) for name in _ORDER)


@lru_cache(maxsize=32)
def load_rule(name: str | Path = DEFAULT_RULE) -> Rule:
    """Read a rule by its name, or from a YAML file of the same form.

    Raises
    ------
    UsageError
        If there is no such rule or the file does not describe one.
    """
    if isinstance(name, Path):
        try:
            return parse_rule(name.read_text(encoding="utf-8"), name.name)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"the rule {name.name} cannot be read: give a YAML file or a rule's name"
            ) from error
    if name not in _ORDER:
        raise UsageError(f"there is no rule {str(name)[:60]!r}: the rules are {', '.join(_ORDER)}")
    text = files("napari_her2.scoring").joinpath("rules").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return parse_rule(text, f"{name}.yaml")


def parse_rule(text: str, source: str) -> Rule:
    """Check and take the text of a rule file; ``source`` names it in messages."""
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{source} is no YAML: {str(error).splitlines()[0]}") from error
    return _Reader(source).rule(data)


class _Reader:
    """Takes a rule apart; every key must be known, every word of its list."""

    def __init__(self, source: str) -> None:
        self.source = source

    def rule(self, data: object) -> Rule:
        required = ("schema", "name", "title", "edition", "tissue", "counted", "min_cells", "sources")
        top = self.keys(
            data, (*required, "tests", "otherwise", "ish"), ("floor", "flag_if_present"), "the rule"
        )
        self.one_of(top["schema"], (_SCHEMA,), "schema")
        floor = self.floor(top["floor"]) if "floor" in top else None
        tests = tuple(self.test(entry, floor) for entry in self.rows(top["tests"], "tests"))
        otherwise = self.keys(top["otherwise"], ("score", "category", "test"), (), "otherwise")
        rule = Rule(
            **{key: str(top[key]) for key in ("name", "title", "edition", "tissue")},
            counted=self.one_of(top["counted"], ("cells", "clusters", "patches"), "counted"),
            min_cells=self.whole(top["min_cells"], "min_cells"),
            sources=tuple(str(line) for line in self.rows(top["sources"], "sources")),
            tests=tests,
            otherwise=Otherwise(**self.verdict(otherwise)),
            ish=self.ish(top["ish"]),
            flag_if_present=tuple(self.present(e) for e in top.get("flag_if_present", ())),
        )
        return self.coherent(rule)

    def coherent(self, rule: Rule) -> Rule:
        """Refuse what would make a path ambiguous or a stronger cell lower the score."""
        words = [(test.test, test.score) for test in rule.tests] + [
            (rule.otherwise.test, rule.otherwise.score)
        ]
        if len({word for word, _ in words}) != len(words):
            self.refuse("two tests share a wording")
        ranks = [SCORES.index(score) for _, score in words]
        if ranks != sorted(ranks, reverse=True):
            self.refuse("tests must stand from the strongest score to the weakest")
        for above, below in zip(rule.tests, rule.tests[1:], strict=False):
            if not set(above.of) <= set(below.of):
                self.refuse(f"the test {below.test!r} leaves out cells that a stronger test counts")
        return rule

    def test(self, data: object, floor: Floor | None) -> RuleTest:
        limits = ("percent", "cells", "floor")
        keys = self.keys(
            data, ("score", "category", "test", "of", "op"), (*limits, "alone", "flags"), "a test"
        )
        given = [key for key in limits if key in keys]
        if len(given) != 1 or (given == ["floor"] and (floor is None or keys["floor"] is not True)):
            self.refuse(f"the test {keys['test']!r} needs one of percent, cells and a floor that is set")
        return RuleTest(
            **self.verdict(keys),
            of=self.columns(keys["of"]),
            op=self.one_of(keys["op"], (">", ">="), "op"),
            percent=self.percent(keys["percent"]) if "percent" in keys else None,
            cells=self.whole(keys["cells"], "cells") if "cells" in keys else None,
            floor=floor if "floor" in keys else None,
            alone=self.columns(keys["alone"]) if "alone" in keys else (),
            flags=tuple(self.one_of(flag, FLAGS, "a flag") for flag in keys.get("flags", ())),
        )

    def verdict(self, keys: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "score": self.one_of(keys["score"], SCORES, "score"),
            "category": self.one_of(keys["category"], get_args(Category), "category"),
            "test": str(keys["test"]),
        }

    def present(self, data: object) -> FlagIfPresent:
        keys = self.keys(data, ("flag", "scores", "of", "percent"), (), "flag_if_present")
        return FlagIfPresent(
            flag=self.one_of(keys["flag"], FLAGS, "a flag"),
            scores=tuple(self.one_of(score, SCORES, "a score") for score in keys["scores"]),
            of=self.columns(keys["of"]),
            percent=self.percent(keys["percent"]),
        )

    def ish(self, data: object) -> IshTable:
        keys = self.keys(data, ("min_cells", "negative_category", "dual", "single"), ("recount",), "ish")
        recount = self.keys(keys.get("recount", {}), (), ("scores", "groups"), "recount")
        return IshTable(
            dual=self.statuses(keys["dual"], _GROUPS),
            single=self.statuses(keys["single"], _BANDS),
            min_cells=self.whole(keys["min_cells"], "min_cells"),
            negative_category=self.one_of(keys["negative_category"], get_args(Category), "negative_category"),
            recount_scores=tuple(
                self.one_of(score, SCORES, "a score") for score in recount.get("scores", ())
            ),
            recount_groups=tuple(
                self.one_of(group, _GROUPS, "a group") for group in recount.get("groups", ())
            ),
        )

    def statuses(self, data: object, rows: Iterable[Any]) -> dict[Any, dict[Score, Status]]:
        table = self.keys(data, tuple(rows), (), "an ISH table")
        words = get_args(Status)
        return {
            row: {
                score: self.one_of(status, words, "a status")
                for score, status in self.keys(cells, SCORES, (), f"ISH row {row}").items()
            }
            for row, cells in table.items()
        }

    def floor(self, data: object) -> Floor:
        keys = self.keys(data, ("percent", "cells"), (), "floor")
        return Floor(self.percent(keys["percent"]), self.whole(keys["cells"], "cells"))

    def columns(self, names: object) -> tuple[int, ...]:
        indices: set[int] = set()
        for name in self.rows(names, "of"):
            parts = (
                ("incomplete_moderate", "incomplete_intense")
                if name == "incomplete_moderate_intense"
                else (name,)
            )
            indices |= {COLUMNS.index(self.one_of(part, COLUMNS[1:], "a column")) for part in parts}
        return tuple(sorted(indices))

    def percent(self, value: object) -> Fraction:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            self.refuse(f"{value!r} is no percentage from 0 to 100")
        return Fraction(str(value))

    def whole(self, value: object, what: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.refuse(f"{what} is {value!r}, not a whole number from 0")
        return int(value)

    def rows(self, data: object, what: str) -> list[Any]:
        if not isinstance(data, list) or not data:
            self.refuse(f"{what} must be a list with at least one entry")
        return list(data)

    def one_of(self, value: Any, words: tuple[Any, ...], what: str) -> Any:
        if value not in words:
            self.refuse(f"{what} is {value!r}, not one of {', '.join(map(str, words))}")
        return value

    def keys(
        self, data: object, required: tuple[Any, ...], optional: tuple[Any, ...], what: str
    ) -> dict[Any, Any]:
        if not isinstance(data, dict):
            self.refuse(f"{what} must be a mapping")
        found = dict(data)
        unknown = [key for key in found if key not in (*required, *optional)]
        missing = [key for key in required if key not in found]
        if unknown or missing:
            self.refuse(
                f"{what} holds the unknown key {unknown[0]!r}" if unknown else f"{what} lacks {missing[0]!r}"
            )
        return found

    def refuse(self, why: str) -> NoReturn:
        raise UsageError(f"{self.source} is no rule: {why[:300]}")
