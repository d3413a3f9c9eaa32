"""Where a model runs. The only place of this room that knows torch."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_her2.errors import UsageError
from napari_her2.threads import cores

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Device",
    "begin_worker",
    "is_out_of_memory",
    "pick_device",
    "threads_put_back",
    "using_threads",
]

PATTERN = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A place to run.

    Attributes
    ----------
    name : str
        As torch names it: ``cpu``, ``mps``, ``cuda:0``.
    title : str
        For people, e.g. the name of the card.
    bfloat16 : bool
        Whether it computes in bfloat16 by itself.
    free_bytes : int or None
        Free memory of an accelerator.
    threads : int
        Threads that a CPU gives; 1 on accelerators.
    also : tuple of str
        Further cards of the same machine that share the work.
    """

    name: str
    title: str
    bfloat16: bool = False
    free_bytes: int | None = None
    threads: int = 1
    also: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """``cpu``, ``cuda`` or ``mps``."""
        return self.name.partition(":")[0]

    def sparing(self, cores: int) -> Device:
        """Return the same with some cores of a CPU left to others, as to a window; one is always used."""
        return replace(self, threads=max(self.threads - cores, 1)) if self.kind == "cpu" else self


def pick_device(wish: str = "auto") -> Device:
    """Find a device.

    Parameters
    ----------
    wish : str
        ``auto`` (all CUDA cards, else mps, else the CPU), ``cpu``, ``mps``, ``cuda`` (all cards) or
        ``cuda:N`` (one).

    Raises
    ------
    UsageError
        If it is not there.
    """
    if not PATTERN.fullmatch(wish):
        raise UsageError(f"there is no device {wish!r}: choose auto, cpu, cuda, cuda:N or mps")
    import torch

    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has_mps = torch.backends.mps.is_available()
    if wish == "auto":
        wish = "cuda" if cards else "mps" if has_mps else "cpu"
    kind, _, number = wish.partition(":")
    if kind == "cpu":
        return _cpu(torch)
    if (kind == "mps" and not has_mps) or (kind == "cuda" and int(number or 0) >= cards):
        raise UsageError(f"this machine has no device {wish!r}: choose auto or cpu (see napari-her2 doctor)")
    if kind == "mps":
        return Device(name="mps", title="Apple GPU")
    also = () if number else tuple(f"cuda:{k}" for k in range(1, cards))
    return _card(torch, int(number or 0), also)


def _cpu(torch: Any) -> Device:
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    bfloat16 = bool(native()) if native else False
    return Device(name="cpu", title="CPU", bfloat16=bfloat16, threads=cores())


def _card(torch: Any, number: int, also: tuple[str, ...]) -> Device:
    free = min(torch.cuda.mem_get_info(k)[0] for k in (number, *range(1, len(also) + 1)))
    return Device(
        name=f"cuda:{number}",
        title=torch.cuda.get_device_name(number),
        bfloat16=bool(torch.cuda.is_bf16_supported()),
        free_bytes=int(free),
        also=also,
    )


def begin_worker(device: str) -> None:
    """Make the calling thread one that predicts on a device.

    On a CPU it computes alone, with no thread but itself: several of them keep all cores busy without
    waiting for each other, and answers do not depend on their number. On a card it gets a stream of its own,
    so that one worker's patches travel while another's are computed (not tested on a card).
    """
    import torch

    if device.startswith("cuda"):
        torch.cuda.set_device(device)
        torch.cuda.synchronize()  # the weights have arrived, which went by another stream
        torch.cuda.set_stream(torch.cuda.Stream())
    else:
        torch.set_num_threads(1)


@contextmanager
def threads_put_back() -> Iterator[None]:
    """Put back torch's number of threads at the end; workers set it, and threads born later inherit it."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_out_of_memory(error: Exception) -> bool:
    """Whether a model failed for want of memory, of a card or of the machine."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in ("out of memory", "can't allocate memory"))


@contextmanager
def using_threads(n: int) -> Iterator[None]:
    """Let torch use n threads inside the block; it is put back, for the setting is the process's."""
    import torch

    before = torch.get_num_threads()
    if before == n:
        yield
        return
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
