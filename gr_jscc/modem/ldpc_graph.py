"""The parity checks of the 5G NR LDPC codes (3GPP TS 38.212, section 5.3.2).

A base graph is a small table of shifts. Lifting replaces every entry by a Z×Z identity matrix whose rows are rotated by
the shift, so a code is known by its base graph and Z alone.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

__all__ = ["CORE_ROWS", "LIFTING_SIZES", "LiftedGraph", "MAX_BITS", "choose_graph", "choose_lifting", "lifted_graph"]

#: The lifting sizes Z in ascending order; a set is the odd factor of Z (with 2 in the place of 1), table 5.3.2-1.
_ODD_FACTORS = (1, 3, 5, 7, 9, 11, 13, 15)
LIFTING_SIZES = tuple(sorted(a << j for a in _ODD_FACTORS for j in range(9) if 2 <= a << j <= 384))

#: The most bits of one code block, by base graph.
MAX_BITS = {1: 8448, 2: 3840}
_INFO_COLUMNS = {1: 22, 2: 10}
#: The first rows of a base graph, whose four parity columns depend on each other; a row beyond adds one column.
CORE_ROWS = 4


@dataclass(frozen=True, eq=False)
class LiftedGraph:
    """The parity checks of one code, lifted by `z`.

    Check i of row r asks that the bits `column[e] * z + (i + shift[e]) % z` of the entries e of that row, which are
    `first[r]` to `first[r + 1] - 1`, have an even sum.

    Attributes:
        graph: base graph, 1 or 2.
        z: lifting size.
        info_columns: columns that hold the message, 22 or 10; a parity column for each row follows.
        first: int32[rows + 1].
        column: int32[entries].
        shift: int32[entries], 0 to z - 1.
        core_shift: of the first parity column in the sum of the core rows, where the others cancel.

    Example:
        >>> code = lifted_graph(graph=1, z=choose_lifting(bits=8448, graph=1))
        >>> code.z, code.info_columns * code.z, code.rows
        (384, 8448, 46)
    """

    graph: int
    z: int
    info_columns: int
    first: np.ndarray
    column: np.ndarray
    shift: np.ndarray
    core_shift: int

    @property
    def rows(self) -> int:
        """Rows of the base graph."""
        return len(self.first) - 1


def choose_graph(bits: int, rate: float) -> int:
    """The base graph for a message of so many bits at a code rate (TS 38.212, section 6.2.2)."""
    return 2 if bits <= 292 or (bits <= 3824 and rate <= 0.67) or rate <= 0.25 else 1


def choose_lifting(bits: int, graph: int) -> int:
    """The smallest lifting size whose message columns hold a code block of so many bits (section 5.2.2).

    Raises:
        ValueError: there is none.
    """
    if not 1 <= bits <= MAX_BITS[graph]:
        raise ValueError(f"a code block of base graph {graph} has 1 to {MAX_BITS[graph]} bits, not {bits}")
    columns = 22 if graph == 1 else 10 if bits > 640 else 9 if bits > 560 else 8 if bits > 192 else 6
    return next(z for z in LIFTING_SIZES if columns * z >= bits)


@lru_cache(maxsize=128)
def lifted_graph(graph: int, z: int) -> LiftedGraph:
    """The checks of base graph `graph` lifted by `z`. Raises ValueError when the standard has no such code."""
    if graph not in _INFO_COLUMNS or z not in LIFTING_SIZES:
        raise ValueError(f"no base graph {graph} with lifting size {z}")
    table = _base_graphs()
    table = table[table[:, 0] == graph]
    rows, column = table[:, 1], table[:, 2]
    odd = z // (z & -z)
    shift = table[:, 3 + _ODD_FACTORS.index(odd)] % z
    first = np.searchsorted(rows, np.arange(rows[-1] + 2))
    info_columns = _INFO_COLUMNS[graph]
    in_core = np.bincount(shift[(rows < CORE_ROWS) & (column == info_columns)], minlength=z)
    (core_shift,) = np.flatnonzero(in_core & 1)
    return LiftedGraph(
        graph,
        z,
        info_columns,
        first.astype(np.int32),
        column.astype(np.int32),
        shift.astype(np.int32),
        int(core_shift),
    )


@lru_cache(maxsize=1)
def _base_graphs() -> np.ndarray:
    """Base graph, row, column and eight shifts of every entry: int64[513, 11]."""
    lines = files(__package__).joinpath("ldpc_base_graphs.csv").read_text(encoding="ascii").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    return np.array([[int(value) for value in line.split(",")] for line in lines[1:]], np.int64)
