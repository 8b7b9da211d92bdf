"""Where a calibration goes: into one profile of a device that does both, or into one for each of two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gr_jscc.calibration.steps import Findings
from gr_jscc.radio.profile import CalibrationTable, Profile, load_profile, save_profile


@dataclass(frozen=True)
class DeviceFiles:
    """The files of transmitter and receiver; the same for one device.

    Example:
        >>> files = DeviceFiles.beside(Path("bench.toml"), one_device=False)
        >>> files.tx.name, files.rx.name
        ('bench-tx.toml', 'bench-rx.toml')
    """

    tx: Path
    rx: Path

    @classmethod
    def beside(cls, out: Path, one_device: bool) -> DeviceFiles:
        """`out`, or for two devices NAME-tx.toml and NAME-rx.toml beside it."""
        if one_device:
            return cls(out, out)
        return cls(*(out.with_name(f"{out.stem}-{end}{out.suffix or '.toml'}") for end in ("tx", "rx")))

    @property
    def there(self) -> bool:
        """Whether all of them are there."""
        return self.tx.is_file() and self.rx.is_file()

    def load(self) -> tuple[Profile, Profile]:
        """Profiles of transmitter and receiver.

        Raises:
            ProfileError: one cannot be read.
        """
        return load_profile(self.tx), load_profile(self.rx)

    def save(self, tx: Profile, rx: Profile, findings: Findings, serials: tuple[str, str]) -> None:
        """Writes the profiles with what was found; each file is whole or as it was.

        Args:
            tx, rx: of transmitter and receiver, as the measurements were made with.
            findings: of all steps.
            serials: of transmitter and receiver, "" where one is not known.

        Raises:
            ProfileError: a file cannot be written.
        """
        table = findings.table()
        sent = tx.direction("tx")
        if findings.amplitude is not None:
            sent = sent.model_copy(update={"amplitude": findings.amplitude})
        if self.tx == self.rx:
            whole = table.model_copy(update={"serial": serials[0]})
            save_profile(rx.model_copy(update={"tx": sent, "calibration": whole}), self.tx)
            return
        nothing = CalibrationTable(date=table.date)
        only_tx = table.model_copy(update={"serial": serials[0], "rx": nothing.rx})
        only_rx = table.model_copy(update={"serial": serials[1], "tx": nothing.tx})
        save_profile(tx.model_copy(update={"tx": sent, "calibration": only_tx}), self.tx)
        save_profile(rx.model_copy(update={"calibration": only_rx}), self.rx)


def findings_of(tx: Profile, rx: Profile) -> Findings:
    """What profiles know already."""
    known = Findings()
    if tx.calibration:
        known.tx = tx.calibration.tx.model_dump(exclude_none=True)
        known.link = tx.calibration.link.model_dump(exclude_none=True)
    if rx.calibration:
        known.rx = rx.calibration.rx.model_dump(exclude_none=True)
    return known
