"""``case``: verify, seal, relink, pack, unpack and rerun."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from napari_her2.case import PACKED, pack_case, read_case, relink_slide, seal_case, unpack_case, verify_case
from napari_her2.cli.console import Answer, follow
from napari_her2.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from napari_her2.case import SealCheck

__all__ = ["run"]

CHANGED: Final = 3


def run(arguments: argparse.Namespace) -> Answer:
    """Do what is asked."""
    return ACTIONS[arguments.action](arguments)


def _out(arguments: argparse.Namespace, what: str) -> Path:
    if arguments.out is None:
        raise UsageError(f"`case {arguments.action}` needs --out: {what}")
    out: Path = arguments.out
    return out


def _verify(arguments: argparse.Namespace) -> Answer:
    check = verify_case(read_case(arguments.case))
    data = {**dataclasses.asdict(check), "intact": check.intact}
    return Answer(data, _told(check), 0 if check.intact else CHANGED)


def _told(check: SealCheck) -> str:
    who = f" by {check.sealed_by}" if check.sealed_by else ""
    head = (
        f"sealed{who} at {check.sealed_at}"
        if check.sealed_at
        else "as its run left it, not sealed by a person"
    )
    lines = [f"{'intact' if check.intact else 'changed since'}: {head}", f"seal {check.seal}"]
    if not check.manifest_intact:
        lines.append("case.json itself was altered after sealing")
    for word in ("changed", "missing", "added"):
        lines += [f"{word}: {name}" for name in getattr(check, word)]
    lines += [f"{slide.role} slide {slide.name}: {slide.state}" for slide in check.slides]
    return "\n".join(lines)


def _seal(arguments: argparse.Namespace) -> Answer:
    seal = seal_case(read_case(arguments.case), reader=arguments.reader)
    return Answer({"seal": seal, "reader": arguments.reader or None}, f"sealed: {seal}")


def _relink(arguments: argparse.Namespace) -> Answer:
    given = {role: path for role in ("he", "ihc") if (path := getattr(arguments, role)) is not None}
    if not given:
        raise UsageError("`case relink` needs --he FILE or --ihc FILE: where the slide lies now")
    bundle = read_case(arguments.case)
    for role, path in given.items():
        relink_slide(bundle, role, path)  # type: ignore[arg-type]
    return Answer({"relinked": sorted(given)}, f"relinked: {', '.join(sorted(given))}")


def _pack(arguments: argparse.Namespace) -> Answer:
    out = _out(arguments, f"the file, by custom NAME{PACKED}")
    n = pack_case(read_case(arguments.case), out, with_slides=arguments.with_slides)
    return Answer({"out": str(out), "files": n, "bytes": out.stat().st_size}, f"{n} files: {out}")


def _unpack(arguments: argparse.Namespace) -> Answer:
    out = _out(arguments, "the new folder of the case")
    check = verify_case(unpack_case(arguments.case, out), slides=False)
    data = {"out": str(out), **dataclasses.asdict(check), "intact": check.intact}
    return Answer(data, f"{out}\n{_told(check)}", 0 if check.intact else CHANGED)


def _rerun(arguments: argparse.Namespace) -> Answer:
    from napari_her2.pipeline import rerun_case

    bundle = read_case(arguments.case)
    out = _out(arguments, "a folder for the second run")
    found = follow(rerun_case(bundle, out, he=arguments.he, ihc=arguments.ihc), quiet=arguments.json)
    data = {
        "same": found.same,
        "differences": list(found.differences),
        "versions_differ": found.versions_differ,
        "corrected_since": found.corrected_since,
    }
    why = " (other versions of the program or its libraries)" if found.versions_differ else ""
    if found.corrected_since:
        why = " (people corrected the case after it was scored: `score` it again)"
    text = "the same numbers" if found.same else "\n".join((f"different{why}:", *found.differences))
    return Answer(data, text, 0 if found.same else CHANGED)


ACTIONS: Final[dict[str, Callable[[argparse.Namespace], Answer]]] = {
    "verify": _verify,
    "seal": _seal,
    "relink": _relink,
    "pack": _pack,
    "unpack": _unpack,
    "rerun": _rerun,
}
