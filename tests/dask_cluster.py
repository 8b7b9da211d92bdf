"""A Dask scheduler and workers as processes of their own, as a person starts them."""

import contextlib
import json
import os
import subprocess
import sys
import time

PATIENCE = 100  # seconds


@contextlib.contextmanager
def dask_cluster(folder, workers=1, scheduler=(), common=(), cwd=None):
    """Starts them, and ends them; yields the scheduler's address.

    Args:
        folder: of the scheduler's file and the log.
        workers: how many, each with one thread.
        scheduler: more options of the scheduler.
        common: more options of all.
        cwd: where they run; in the folder if None.
    """
    description = folder / "scheduler.json"
    description.unlink(missing_ok=True)
    commands = [["dask_scheduler", "--host", "127.0.0.1", "--port", "0", *scheduler]]
    commands += [["dask_worker", "--nthreads", "1", "--no-nanny"]] * workers
    joined = ["--scheduler-file", str(description), "--no-dashboard", *common]
    with open(folder / "dask.log", "a") as log:
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{name}", *rest, *joined],
                stdout=log, stderr=log, cwd=cwd or folder, env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
            for name, *rest in commands
        ]  # fmt: skip
    try:
        end = time.monotonic() + PATIENCE
        while not (description.exists() and description.read_text().rstrip().endswith("}")):  # it begins empty
            assert time.monotonic() < end, (folder / "dask.log").read_text()
            time.sleep(0.05)
        yield json.loads(description.read_text())["address"]
    finally:
        for process in processes:
            process.kill()
            process.wait()
