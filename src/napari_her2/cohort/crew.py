"""The workers: a local cluster by default, or one that is already there.

The only place that knows ``dask.distributed``.
"""

from __future__ import annotations

import logging
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_her2.cohort.rows import CohortRow
from napari_her2.cohort.work import score_one
from napari_her2.errors import UsageError
from napari_her2.threads import allowed_cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_her2.cohort.work import Job

__all__ = ["Crew"]

_PATIENCE = "20s"
_RESTART_PATIENCE = "1h"
"""A busy machine takes longer to replace a dead worker than the usual 15 s, after which it is never."""


@dataclass(frozen=True, slots=True)
class Crew:
    """Who does the work.

    Attributes
    ----------
    scheduler : str or None
        Address of a running Dask scheduler, ``tcp://host:port``; None starts workers on this machine.
    workers : int or None
        Of a local cluster, one thread each; None for one per core, but not more than there are cases.
    retries : int
        How often a case is tried again that failed for a reason outside of it.
    """

    scheduler: str | None = None
    workers: int | None = None
    retries: int = 2

    def rows(self, jobs: Sequence[Job]) -> Iterator[CohortRow]:
        """Work on all cases; yield their rows as they come.

        Abandoned, it takes back what waits; a worker that dies is replaced, and its case given to another.

        Raises
        ------
        UsageError
            If the cluster is not installed, or no scheduler answers.
        """
        _require_distributed()
        from distributed import as_completed

        with self._client(len(jobs)) as client:
            run = uuid.uuid4().hex[:8]
            futures = {
                client.submit(score_one, job, key=f"her2-{job.case.name}-{run}", retries=self.retries): job
                for job in jobs
            }
            try:
                for future in as_completed(list(futures), loop=client.loop):
                    yield _row(future, futures[future])
                    future.release()
            finally:
                client.cancel(list(futures), force=True)

    @contextmanager
    def _client(self, cases: int) -> Iterator[Any]:
        import dask
        from distributed import Client, LocalCluster

        if self.scheduler is not None:
            with self._found(Client) as client:
                yield client
            return
        size = self.workers or allowed_cores()
        with (
            dask.config.set({"distributed.deploy.lost-worker-timeout": _RESTART_PATIENCE}),
            LocalCluster(
                n_workers=max(1, min(size, cases)),
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client

    def _found(self, client: Any) -> Any:
        try:
            return client(self.scheduler, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"no Dask scheduler answers at {self.scheduler}: start one with `dask scheduler`, "
                "or leave --scheduler out to work on this machine"
            ) from error


def _row(future: Any, job: Job) -> CohortRow:
    """Return what a worker found, or why it found nothing."""
    from distributed import KilledWorker

    if future.status == "cancelled":
        return CohortRow.failed(job.case, "the cluster gave the case up: run the same command again")
    error = future.exception()
    if error is None:
        row: CohortRow = future.result()
        return row
    if isinstance(error, KilledWorker):
        return CohortRow.failed(
            job.case,
            "its worker died again and again, as for want of memory: score it alone with `napari-her2 score`",
        )
    return CohortRow.failed(job.case, f"{type(error).__name__}: {str(error)[:300]}")


def _require_distributed() -> None:
    from importlib.util import find_spec

    if find_spec("distributed") is None:
        raise UsageError("a cohort needs Dask's cluster: install it with `pip install napari-her2[cluster]`")
