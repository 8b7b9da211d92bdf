"""One setting for the threads of all libraries: beside a busy neighbour none of them spins.

A thread that waits in a loop for its fellows takes the core that they need as soon as anything else runs: measured
beside one busy process, the modem took 20 times its CPU time at FFT 256 and 27 times at 1024, NTSCC's network six
times.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from functools import cache


def wait_asleep() -> None:
    """Has OpenMP's threads, PyTorch's among them, sleep while they wait; unless the user's environment says otherwise.

    Read when these libraries are loaded: to be called before.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def one_blas_thread() -> AbstractContextManager:
    """While this lasts, linear algebra of numpy and scipy stays in one thread: products are so small that others wait.

    Example:
        >>> import numpy as np
        >>> with one_blas_thread():
        ...     float(np.ones((3, 3)).dot(np.ones(3))[0])
        3.0
    """
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller():
    """Knows the libraries that are loaded by now; finding them takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def share_cores() -> None:
    """Gives PyTorch half of the cores that this process may use: another network or the modem works beside it."""
    import torch

    torch.set_num_threads(half_of_the_cores())


def half_of_the_cores() -> int:
    """Rounded down, at least one."""
    return max(1, len(os.sched_getaffinity(0)) // 2)
