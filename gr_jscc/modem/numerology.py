"""The OFDM numerologies: which carriers there are and what each is for. Data, not behaviour.

Carriers are signed: carrier k sits at k subcarrier spacings from the centre of the band, k in [-fft/2, fft/2). The
centre itself (DC) is always empty, because direct-conversion radios leave their offset there.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gr_jscc.errors import UserError

__all__ = ["DEFAULT_NUMEROLOGY", "NUMEROLOGIES", "Numerology", "numerology"]

_MOST_BOOST_DB = 10


@dataclass(frozen=True)
class Numerology:
    """One OFDM layout. Lengths are in samples, carriers signed; immutable and hashable.

    Attributes:
        fft_size, cp_len: points of the FFT and samples of the cyclic prefix.
        data_carriers, pilot_carriers: in the order in which data and pilots fill them.
        pilot_boost_db, preamble_boost_db: power of the payload's pilots and of the preamble over that of the data. The
            burst's mean power stays what it is: the data pays.

    Raises:
        UserError: lengths, carriers or boosts make no usable layout; the message says which.

    Example:
        >>> from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY
        >>> DEFAULT_NUMEROLOGY.fft_size, DEFAULT_NUMEROLOGY.symbol_len, DEFAULT_NUMEROLOGY.data_count
        (64, 80, 48)
    """

    fft_size: int
    cp_len: int
    data_carriers: tuple[int, ...]
    pilot_carriers: tuple[int, ...]
    pilot_boost_db: float = 0.0
    preamble_boost_db: float = 0.0

    def __post_init__(self) -> None:
        n = self.fft_size
        _check_fft_size(n)
        if not 2 <= self.cp_len <= n // 2:
            raise UserError(f"cp_len must be from 2 to fft_size/2 = {n // 2}, not {self.cp_len}")
        used = self.data_carriers + self.pilot_carriers
        if len(set(used)) != len(used):
            raise UserError("a carrier is listed twice")
        if 0 in used:
            raise UserError("carrier 0 (DC) must stay empty")
        if any(not -n // 2 <= k < n // 2 for k in used):
            raise UserError(f"carriers must lie in [{-n // 2}, {n // 2})")
        if len(self.data_carriers) < 8:
            raise UserError("at least 8 data carriers are needed")
        if not any(k < 0 for k in self.pilot_carriers) or not any(k > 0 for k in self.pilot_carriers):
            raise UserError("pilots are needed on both sides of DC")
        for name in ("pilot_boost_db", "preamble_boost_db"):
            if not -_MOST_BOOST_DB <= getattr(self, name) <= _MOST_BOOST_DB:
                raise UserError(
                    f"{name} must be from -{_MOST_BOOST_DB} to {_MOST_BOOST_DB} dB, not {getattr(self, name)}"
                )

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Taken once: every look into a cache asks for it, and a thousand carriers take microseconds."""
        return hash((self.fft_size, self.cp_len, self.data_carriers, self.pilot_carriers))

    @cached_property
    def fingerprint(self) -> bytes:
        """Four bytes that tell it from any other numerology."""
        told = self.fft_size, self.cp_len, self.data_carriers, self.pilot_carriers
        boosts = (float(self.pilot_boost_db), float(self.preamble_boost_db)) if self.boosted else ()
        return hashlib.blake2b(repr(told + boosts).encode(), digest_size=4).digest()

    @cached_property
    def description(self) -> str:
        """For people, up to 80 characters: its name in `NUMEROLOGIES`, or else its fingerprint, and what it is.

        Boosts of pilots and preamble are numbers in dB.
        """
        name = next((name for name, one in NUMEROLOGIES.items() if one == self), self.fingerprint.hex())
        carriers = f"{self.data_count} data and {self.pilot_count} pilot carriers"
        if self.boosted:
            carriers = f"{self.data_count}+{self.pilot_count}, {self.pilot_boost_db:+g}/{self.preamble_boost_db:+g} dB"
        return f"{name} (FFT size {self.fft_size}, cyclic prefix {self.cp_len}, {carriers})"

    @property
    def boosted(self) -> bool:
        """Whether pilots or preamble have another power than the data."""
        return bool(self.pilot_boost_db or self.preamble_boost_db)

    @property
    def pilot_power(self) -> float:
        """Power of a pilot of the payload over that of a data cell."""
        return float(10 ** (self.pilot_boost_db / 10))

    @property
    def preamble_power(self) -> float:
        """Power of a cell of the preamble over that of a data cell."""
        return float(10 ** (self.preamble_boost_db / 10))

    @property
    def symbol_len(self) -> int:
        """Samples of one OFDM symbol with its cyclic prefix."""
        return self.fft_size + self.cp_len

    @property
    def data_count(self) -> int:
        """Data carriers, so complex symbols carried by one OFDM symbol."""
        return len(self.data_carriers)

    @property
    def pilot_count(self) -> int:
        """Pilot carriers."""
        return len(self.pilot_carriers)

    @property
    def used_count(self) -> int:
        """Data and pilot carriers together."""
        return self.data_count + self.pilot_count

    @cached_property
    def used_carriers(self) -> np.ndarray:
        """Data and pilot carriers in ascending order: int64[used_count]."""
        return np.array(sorted(self.data_carriers + self.pilot_carriers))

    @cached_property
    def used_bins(self) -> np.ndarray:
        """FFT bins of `used_carriers`: int64[used_count]."""
        return self.used_carriers % self.fft_size

    @cached_property
    def data_bins(self) -> np.ndarray:
        """FFT bins of `data_carriers`, in their order: int64[data_count]."""
        return np.array(self.data_carriers) % self.fft_size

    @cached_property
    def pilot_bins(self) -> np.ndarray:
        """FFT bins of `pilot_carriers`, in their order: int64[pilot_count]."""
        return np.array(self.pilot_carriers) % self.fft_size

    @cached_property
    def data_index(self) -> np.ndarray:
        """Where each data carrier stands in `used_carriers`: int64[data_count]."""
        return np.searchsorted(self.used_carriers, np.array(self.data_carriers))

    @cached_property
    def pilot_index(self) -> np.ndarray:
        """Where each pilot carrier stands in `used_carriers`: int64[pilot_count]."""
        return np.searchsorted(self.used_carriers, np.array(self.pilot_carriers))


def _check_fft_size(n: int) -> None:
    if n < 32 or n > 8192 or n & (n - 1):
        raise UserError(f"fft_size must be a power of two from 32 to 8192, not {n}")


def _around_dc(half: int, positive: Iterable[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Data and pilot carriers, up to ``half`` on either side of DC; pilots are the positive ones and their mirrors."""
    positive = tuple(positive)
    pilots = tuple(-k for k in reversed(positive)) + positive
    return tuple(k for k in range(-half, half + 1) if k and k not in set(pilots)), pilots


def numerology(fft_size: int = 64, cp_len: int | None = None, used: int | None = None) -> Numerology:
    """A numerology in the proportions of IEEE 802.11a (52 carriers of 64 used, one pilot in 13).

    Args:
        fft_size: points of the FFT, a power of two from 32 to 8192.
        cp_len: samples of the cyclic prefix; a quarter of `fft_size` unless told.
        used: data and pilot carriers together, an even number; 52/64 of `fft_size` unless told. Fewer leave wider
            guards.

    Raises:
        UserError: an argument is out of its range.
    """
    for name, value in (("fft_size", fft_size), ("cp_len", cp_len), ("used", used)):
        if value is not None and (not isinstance(value, (int, np.integer)) or isinstance(value, bool)):
            raise UserError(f"{name} must be a whole number, not {value!r}")
    _check_fft_size(fft_size)
    cp_len = fft_size // 4 if cp_len is None else int(cp_len)
    used = 2 * (fft_size * 26 // 64) if used is None else int(used)
    if used % 2 or not 12 <= used <= fft_size - 2:
        raise UserError(f"used must be an even number from 12 to fft_size - 2 = {fft_size - 2}, not {used}")
    half = used // 2
    # 64 points follow 802.11a to the letter; the larger ones keep one pilot in thirteen, evenly spread.
    spacing, first = (14, 7) if (fft_size, used) == (64, 52) else (13, min(7, half))
    return Numerology(int(fft_size), cp_len, *_around_dc(half, range(first, half + 1, spacing)))


def _offered() -> dict[str, Numerology]:
    table = {}
    for fft_size in (64, 128, 256, 512, 1024):
        table[str(fft_size)] = numerology(fft_size)
        for divisor in (8, 16):
            cp_len = fft_size // divisor
            table[f"{fft_size}-cp{cp_len}"] = numerology(fft_size, cp_len)
    table["256-wide"] = Numerology(256, 16, *_around_dc(124, (16, 46, 78, 108)))
    return table


#: The numerologies offered, by name. "64" has a prefix of a quarter, "64-cp8" and "64-cp4" the shorter ones; the same
#: for 128 to 1024 points. "256-wide" spends the least air: a prefix as long as that of "64", guards of 3 %, 8 pilots.
NUMEROLOGIES: dict[str, Numerology] = _offered()

#: 64 points, a prefix of 16, 48 data and 4 pilot carriers: the layout of IEEE 802.11a.
DEFAULT_NUMEROLOGY: Numerology = NUMEROLOGIES["64"]
