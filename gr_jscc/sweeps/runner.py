"""Runs a plan's cells on a Dask cluster and brings the results to the store."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gr_jscc.errors import UserError
from gr_jscc.sweeps.cells import Cell, Plan, Planned
from gr_jscc.sweeps.measurement import Measured, Send, failed, measure_task
from gr_jscc.sweeps.store import Store

if TYPE_CHECKING:
    from distributed import Client

TOGETHER = 6  # cells that share an encoding
QUEUED_PER_THREAD = 3  # tasks; enough that no worker waits, few enough that pictures do not pile up


@dataclass(frozen=True)
class Work:
    """What is left to do of a plan.

    Attributes:
        tasks: cells to hand out together.
        done: cells of the plan that were in the store already.

    Example:
        >>> Work(tasks=[], done=12).cells
        0
    """

    tasks: list[list[Planned]]
    done: int

    @property
    def cells(self) -> int:
        return sum(map(len, self.tasks))


def work_left(plan: Plan, store: Store) -> Work:
    """The cells that the store lacks, each once; those that failed are tried again.

    Pictures that go between two hosts go together, one point at a time: three programs start for it. What a picture's
    encoding meets on the ideal channel goes together, too, in equal parts of at most `TOGETHER`. All others are handed
    out one by one, so that a killed sweep loses little.
    """
    known = store.rows()
    # Two schemes may share a cell: the one whose picture is shown stands for both.
    unique = {planned.cell.key: planned for planned in sorted(plan.cells, key=lambda planned: planned.shown)}
    order = {planned.cell.key: place for place, planned in enumerate(plan.cells)}

    def is_done(planned: Planned) -> bool:
        row = known.get(planned.cell.key)
        if row is None or row["error"]:
            return False
        # A cell that an earlier experiment measured without keeping its picture is sent again for it.
        return not planned.shown or row["psnr_db"] is None or store.has_picture(planned.cell.key)

    left = sorted((p for p in unique.values() if not is_done(p)), key=lambda planned: order[planned.cell.key])
    tasks: dict[tuple | str, list[Planned]] = {}
    for planned in left:
        cell = planned.cell
        whole = {"two-hosts": _point, "ideal": _encoding}.get(cell.mode)
        tasks.setdefault(whole(cell) if whole else cell.key, []).append(planned)
    parts = []
    for task in tasks.values():
        count = 1 if task[0].cell.mode == "two-hosts" else -(-len(task) // TOGETHER)
        bounds = [len(task) * place // count for place in range(count + 1)]  # as even as can be
        parts += [task[start:stop] for start, stop in itertools.pairwise(bounds)]
    return Work(parts, len(unique) - len(left))


def run_work(
    client: Client, tasks: list[list[Planned]], send: Send, store: Store
) -> Iterator[tuple[Planned, Measured]]:
    """Measures cells and yields each when it is in the store.

    Args:
        client: of the cluster; workers need this package.
        tasks: from `work_left`.
        send: see `measure_task`; a function that workers can import.
        store: open for writing.

    Raises:
        UserError: the scheduler has gone; all that was measured is in the store.
    """
    from distributed import as_completed

    waiting = iter(tasks)
    under_way: dict[str, list[Planned]] = {}
    finished = as_completed(loop=client.loop)

    def hand_out() -> None:
        most = QUEUED_PER_THREAD * max(1, sum(client.nthreads().values()))
        while len(under_way) < most and (task := next(waiting, None)) is not None:
            read = {planned.cell.image_hash: planned.picture for planned in task}  # each once, and sent once
            read = {code: picture.read() for code, picture in read.items()}
            cells, shown = [p.cell for p in task], [p.shown for p in task]
            pictures = [read[cell.image_hash] for cell in cells]
            future = client.submit(measure_task, send, cells, pictures, shown, key=f"cell-{cells[0].key}", pure=False)
            under_way[future.key] = task
            finished.add(future)

    hand_out()
    for future in finished:
        task = under_way.pop(future.key)
        yield from _stored(store, task, _result(future, task))
        future.release()
        hand_out()


def _result(future, task: list[Planned]) -> list[Measured]:
    """What the workers made of it; where they died of it, or could not even begin, that."""
    if future.cancelled():
        raise UserError("the connection to the scheduler was lost; the results so far are in the store")
    error = future.exception()
    return future.result() if error is None else [failed(planned.cell, error) for planned in task]


def _stored(store: Store, task: list[Planned], results: list[Measured]) -> Iterator[tuple[Planned, Measured]]:
    for planned, measured in zip(task, results):
        if planned.shown and measured.picture is not None:
            if not store.has_picture(original_name(planned.cell.image_hash)):
                store.save_picture(original_name(planned.cell.image_hash), planned.picture.read())
            store.save_picture(planned.cell.key, measured.picture)
            uses = planned.use_map(planned.picture.read()) if planned.use_map else None
            if uses is not None:
                store.save_use_map(planned.cell.key, uses)
        store.append(measured.row)  # last: where the row is, all is
        yield planned, measured


def original_name(image_hash: str) -> str:
    """What the store calls an original picture."""
    return f"original-{image_hash}"


def _point(cell: Cell) -> tuple:
    """All of a cell but its picture."""
    codec = cell.codec, cell.weights_hash, cell.cbr, cell.refine
    return *codec, cell.snr_db, cell.channel, cell.seed, cell.numerology, cell.burst_symbols


def _encoding(cell: Cell) -> tuple:
    """All of a cell that its payloads depend on; of the same, where there is no feedback, the same are sent."""
    return cell.mode, cell.codec, cell.weights_hash, cell.weights, cell.image_hash, cell.cbr, cell.refine


def plan_content(plan: Plan, command: str) -> dict:
    """The experiment and its cells as the store keeps them, see `Store.save_experiment`.

    Args:
        plan: what is measured.
        command: that does so, as a shell takes it.
    """
    return {
        "command": command,
        "experiment": plan.experiment.model_dump(mode="json"),
        "parameters": plan.parameters,
        "remarks": plan.remarks,
        "cells": [
            {"key": planned.cell.key, "scheme": planned.scheme, "images": planned.images, "cbr": planned.cell.cbr}
            for planned in plan.cells
        ],
    }
