"""Numerologies of a person's own: TOML files that say which carriers there are.

    fft_size = 128
    cp_len = 12               # samples; a quarter of fft_size unless told
    used = 100                # data and pilot carriers, half on each side of DC; 52/64 of fft_size unless told

One pilot in thirteen, evenly spread, unless ``pilot_carriers`` lists others; ``data_carriers`` besides takes the place
of ``used``. ``pilot_boost_db`` and ``preamble_boost_db`` give pilots and preamble another power than the data.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from gr_jscc.errors import UserError
from gr_jscc.files.toml import first_fault, read_named
from gr_jscc.files.toml_tables import TomlTable, Whole
from gr_jscc.modem.demodulator import check_findable
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY, NUMEROLOGIES, Numerology, numerology

Carriers = Annotated[tuple[Whole, ...], Field(strict=False)]


class NumerologyError(UserError):
    """A numerology that is not there or makes no sense; the message is one line for a person.

    Example:
        >>> parse_numerology({"fft_size": 64, "cp_len": 40}, "mine.toml")
        Traceback (most recent call last):
            ...
        gr_jscc.modem.numerology_file.NumerologyError: mine.toml: cp_len must be from 2 to fft_size/2 = 32, not 40
    """


class NumerologyTable(TomlTable):
    """The keys of a numerology's file.

    Attributes:
        fft_size, cp_len, used: see `gr_jscc.modem.numerology.numerology`.
        pilot_carriers: signed; others than one in thirteen.
        data_carriers: signed, in the order in which symbols go to them; without it all used ones that are no pilots,
            from the lowest to the highest.
        pilot_boost_db, preamble_boost_db: see `gr_jscc.modem.numerology.Numerology`.

    Example:
        >>> NumerologyTable(fft_size=64, cp_len=8, pilot_carriers=[-20, -8, 8, 20]).layout().data_count
        48
    """

    fft_size: Whole
    cp_len: Whole | None = None
    used: Whole | None = None
    pilot_carriers: Carriers | None = None
    data_carriers: Carriers | None = None
    pilot_boost_db: float = 0.0
    preamble_boost_db: float = 0.0

    def layout(self) -> Numerology:
        """The numerology.

        Raises:
            UserError: the keys do not fit together.
        """
        return replace(self._carriers(), pilot_boost_db=self.pilot_boost_db, preamble_boost_db=self.preamble_boost_db)

    def _carriers(self) -> Numerology:
        even = numerology(self.fft_size, self.cp_len, self.used)
        if self.pilot_carriers is None:
            if self.data_carriers is not None:
                raise UserError("data_carriers needs pilot_carriers as well")
            return even
        data = self.data_carriers
        if data is not None and self.used is not None:
            raise UserError("used and data_carriers exclude each other")
        if data is None:
            used = even.used_carriers.tolist()
            if outside := set(self.pilot_carriers) - set(used):
                raise UserError(f"pilot carrier {min(outside)} is not one of the {len(used)} that are used")
            data = tuple(k for k in used if k not in self.pilot_carriers)
        return Numerology(even.fft_size, even.cp_len, data, self.pilot_carriers)


def load_numerology(choice: str | Path | Numerology) -> Numerology:
    """A numerology of `NUMEROLOGIES` by its name, or of a TOML file by its path; one that is made already stays.

    Raises:
        NumerologyError: not found, not TOML, an unknown or missing key or a value that makes no sense.

    Example:
        >>> load_numerology("256-cp32").symbol_len
        288
    """
    if isinstance(choice, Numerology):
        return choice
    if (named := NUMEROLOGIES.get(str(choice))) is not None:
        return named
    path, values = read_named("numerology", choice, {name: Path(name) for name in NUMEROLOGIES}, NumerologyError)
    return parse_numerology(values, f"numerology {path}")


def parse_numerology(values: dict, where: str) -> Numerology:
    """A numerology from its keys.

    Args:
        values: by key.
        where: for messages.

    Raises:
        NumerologyError: one does not fit; the message begins with ``where``.
    """
    try:
        layout = NumerologyTable.model_validate(values).layout()
        check_findable(layout)  # what no receiver finds need not be sent
    except ValidationError as error:
        raise NumerologyError(f"{where}: {first_fault(error)}") from error
    except UserError as error:
        raise NumerologyError(f"{where}: {error}") from error
    return layout


def numerology_keys(layout: Numerology) -> dict[str, int | float | list[int]]:
    """The keys of which `parse_numerology` makes the same numerology, without those of what is as usual."""
    keys: dict[str, int | float | list[int]] = {"fft_size": layout.fft_size, "cp_len": layout.cp_len}
    usual = numerology(layout.fft_size, layout.cp_len)
    if (layout.pilot_carriers, layout.data_carriers) != (usual.pilot_carriers, usual.data_carriers):
        keys |= {"pilot_carriers": list(layout.pilot_carriers), "data_carriers": list(layout.data_carriers)}
    if layout.boosted:
        keys |= {"pilot_boost_db": layout.pilot_boost_db, "preamble_boost_db": layout.preamble_boost_db}
    return keys


def numerology_toml(layout: Numerology) -> str:
    """A file's content."""
    return "".join(f"{key} = {value}\n" for key, value in numerology_keys(layout).items())


def numerology_of_keys(fields: dict, prefix: str) -> Numerology:
    """The numerology of which `numerology_keys` are among other fields; the default one where they are not.

    Args:
        fields: by key, of any origin.
        prefix: before each key.

    Raises:
        NumerologyError: they make no sense.
    """
    keys = {key: fields[prefix + key] for key in NumerologyTable.model_fields if prefix + key in fields}
    return parse_numerology({"fft_size": DEFAULT_NUMEROLOGY.fft_size, **keys}, "numerology")
