"""From arguments to an exit code: 0 done, 2 usage, 3 input, 4 model, 5 not scorable, 130 interrupted."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, Final

from napari_her2.cli.console import Answer, print_answer, print_error
from napari_her2.cli.parser import parse
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

__all__ = ["main"]

INTERRUPTED: Final = 130
UNFORESEEN: Final = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    as_json, debug = "--json" in words, "--debug" in words
    with _stoppable(), _quiet(debug):
        try:
            answer = _run(parse(words))
        except SystemExit as stop:  # --help, --version
            return int(stop.code or 0)
        except BaseException as error:  # noqa: BLE001 - the edge: whatever happened becomes a sentence and a code
            code, message = _verdict(error)
            if debug:
                traceback.print_exc()
            print_error(code, message, as_json=as_json)
            return code
        return _deliver(answer, as_json=as_json)


def _run(arguments: argparse.Namespace) -> Answer:
    """Import the command's module and call it; what libraries print goes to stderr."""
    command = importlib.import_module(f"napari_her2.cli.commands.{arguments.module}")
    with redirect_stdout(sys.stderr):
        answer: Answer = command.run(arguments)
    return answer


def _deliver(answer: Answer, *, as_json: bool) -> int:
    try:
        print_answer(answer, as_json=as_json)
    except BrokenPipeError:  # the reader of the pipe has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return answer.code


def _verdict(error: BaseException) -> tuple[int, str]:
    """Return exit code and sentence for whatever stopped a command."""
    if isinstance(error, Her2Error):
        return error.exit_code, str(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted: what was done is kept, the same command goes on from there"
    if isinstance(error, MemoryError):
        return (
            UNFORESEEN,
            "the memory of this machine did not suffice: close other programs or choose a region",
        )
    what = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return (
        UNFORESEEN,
        f"stopped by a fault of the program ({what}): run again with --debug and report what it prints",
    )


@contextmanager
def _quiet(debug: bool) -> Iterator[None]:
    """Keep warnings and log lines of libraries off the user's screen unless asked for."""
    disabled = logging.root.manager.disable
    with warnings.catch_warnings():
        if not debug:
            warnings.simplefilter("ignore")
            logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(disabled)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM stop a run as Ctrl-C does, so that it cleans up; only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    wanted = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        wanted.append(signal.SIGBREAK)
    before = {number: signal.signal(number, stop) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
