"""What the tables of our TOML files have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


class TomlTable(BaseModel):
    """A table of a TOML file, whose keys are attributes. Types are what TOML says they are.

    ``true`` is no number and ``"20"`` is text; whole numbers count as numbers. Arrays that become tuples need
    ``Field(strict=False)``, which is for the tuple alone.

    Example:
        >>> class Channel(TomlTable):
        ...     snr_db: float
        ...     seed: Whole = 1
        ...
        >>> Channel(snr_db=10, seed=20.0)
        Channel(snr_db=10.0, seed=20)
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: An int for `TomlTable`; 20.0 will do.
Whole = Annotated[int, BeforeValidator(_whole)]
