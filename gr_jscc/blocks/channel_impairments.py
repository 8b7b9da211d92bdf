"""A bad channel between two bad radios, with a knob for each thing that is bad."""

from __future__ import annotations

from collections.abc import Sequence

from gr_jscc.blocks.impaired_stream import ImpairedStream
from gr_jscc.channel import Scenario, ScenarioError


class channel_impairments(ImpairedStream):  # noqa: N801
    """Impairs samples, in the order of a link: amplifier, lost bursts, echoes, fading, interference, frequency offset,
    phase noise, sample clock, noise, IQ imbalance, DC offset, converter, dropped samples.

    Streams and tags: as `ImpairedStream`. Everything is off unless set, and may be set while running.

    Args:
        snr_db: Es/N0 per data subcarrier, for used subcarriers of power 1; None for no noise.
        cfo: carrier frequency offset, cycles per sample.
        sfo_ppm: sample clock offset, parts per million.
        taps: echoes, one tap a sample, or the name of a channel.
        fading: Rayleigh: "none", "block" (new for every burst) or "doppler".
        delay_spread: rms of the fading's exponential profile, samples; 0 is flat.
        doppler_hz: largest Doppler shift.
        phase_noise: of a synthesiser with a loop of 50 kHz, degrees rms.
        iq_gain_db, iq_phase: IQ imbalance, dB and degrees.
        dc_dbc: DC offset over the signal, dB; None for none.
        pa_backoff_db: amplifier's saturation over the signal (Rapp, p = 2), dB; None for no amplifier.
        bits: of the converter, with 12 dB of headroom; 0 for none.
        drop_share: share of samples that are dropped, in runs of 1000.
        interference_share: share of the time with interference, in bursts of 1000 samples.
        interference_db: its power over the signal's.
        loss: probability that a burst is erased.
        sample_rate: Hz, for what is in Hz.
        seed: of everything random.

    Raises:
        ScenarioError: a value makes no sense.

    Example:
        >>> channel_impairments(snr_db=15.0, cfo=1e-3).name()
        'JSCC Channel Impairments'
    """

    def __init__(
        self,
        snr_db: float | None = None,
        cfo: float = 0.0,
        sfo_ppm: float = 0.0,
        taps: Sequence[complex] | str = (1,),
        fading: str = "none",
        delay_spread: float = 0.0,
        doppler_hz: float = 0.0,
        phase_noise: float = 0.0,
        iq_gain_db: float = 0.0,
        iq_phase: float = 0.0,
        dc_dbc: float | None = None,
        pa_backoff_db: float | None = None,
        bits: int = 0,
        drop_share: float = 0.0,
        interference_share: float = 0.0,
        interference_db: float = 0.0,
        loss: float = 0.0,
        sample_rate: float = 1e6,
        seed: int = 1,
    ) -> None:
        super().__init__(Scenario(sample_rate=sample_rate, seed=seed), "JSCC Channel Impairments")
        self._values: dict[str, object] = {}
        self._tables: dict[str, dict | None] = {}
        self._set(
            snr_db=snr_db, cfo=cfo, sfo_ppm=sfo_ppm, taps=taps, fading=fading, delay_spread=delay_spread,
            doppler_hz=doppler_hz, phase_noise=phase_noise, iq_gain_db=iq_gain_db, iq_phase=iq_phase, dc_dbc=dc_dbc,
            pa_backoff_db=pa_backoff_db, bits=bits, drop_share=drop_share, interference_share=interference_share,
            interference_db=interference_db, loss=loss,
        )  # fmt: skip

    def set_snr_db(self, snr_db: float | None) -> None:
        self._set(snr_db=snr_db)

    def set_cfo(self, cfo: float) -> None:
        self._set(cfo=cfo)

    def set_sfo_ppm(self, sfo_ppm: float) -> None:
        self._set(sfo_ppm=sfo_ppm)

    def set_taps(self, taps: Sequence[complex] | str) -> None:
        self._set(taps=taps)

    def set_fading(self, fading: str) -> None:
        self._set(fading=fading)

    def set_delay_spread(self, delay_spread: float) -> None:
        self._set(delay_spread=delay_spread)

    def set_doppler_hz(self, doppler_hz: float) -> None:
        self._set(doppler_hz=doppler_hz)

    def set_phase_noise(self, phase_noise: float) -> None:
        self._set(phase_noise=phase_noise)

    def set_iq_gain_db(self, iq_gain_db: float) -> None:
        self._set(iq_gain_db=iq_gain_db)

    def set_iq_phase(self, iq_phase: float) -> None:
        self._set(iq_phase=iq_phase)

    def set_dc_dbc(self, dc_dbc: float | None) -> None:
        self._set(dc_dbc=dc_dbc)

    def set_pa_backoff_db(self, pa_backoff_db: float | None) -> None:
        self._set(pa_backoff_db=pa_backoff_db)

    def set_bits(self, bits: int) -> None:
        self._set(bits=bits)

    def set_drop_share(self, drop_share: float) -> None:
        self._set(drop_share=drop_share)

    def set_interference_share(self, interference_share: float) -> None:
        self._set(interference_share=interference_share)

    def set_interference_db(self, interference_db: float) -> None:
        self._set(interference_db=interference_db)

    def set_loss(self, loss: float) -> None:
        self._set(loss=loss)

    def _set(self, **values: object) -> None:
        """Changes values, and the stages that they concern."""
        with self.lock:
            wanted = self._values | values
            for name, table in self._describe(**wanted).items():
                if table != self._tables.get(name):
                    self.scenario.set(name, table)
                    self._tables[name] = table
            self._values = wanted

    def _describe(self, **v: object) -> dict[str, dict | None]:
        """The scenario's tables; None for what is off."""
        if v["fading"] not in ("none", "block", "doppler"):
            raise ScenarioError(f"fading must be none, block or doppler, not {v['fading']!r}")
        taps = v["taps"] if isinstance(v["taps"], str) else list(v["taps"])
        spread = {"delay_spread": v["delay_spread"]}
        imbalance = {"gain_db": v["iq_gain_db"], "phase_degrees": v["iq_phase"]}
        interference = {"share": v["interference_share"], "power_db": v["interference_db"]}
        # Taking the resampler away again would make the signal jump by its delay.
        resamples = bool(v["sfo_ppm"]) or self._tables.get("sfo") is not None
        return {
            "amplifier": None if v["pa_backoff_db"] is None else {"backoff_db": v["pa_backoff_db"]},
            "loss": {"probability": v["loss"]} if v["loss"] else None,
            "multipath": {"taps": taps} if taps != [1] else None,
            "block_fading": spread if v["fading"] == "block" else None,
            "doppler_fading": spread | {"doppler_hz": v["doppler_hz"]} if v["fading"] == "doppler" else None,
            "interference": interference if v["interference_share"] else None,
            "cfo": {"cycles_per_sample": v["cfo"]} if v["cfo"] else None,
            "phase_noise": {"rms_degrees": v["phase_noise"]} if v["phase_noise"] else None,
            "sfo": {"ppm": v["sfo_ppm"]} if resamples else None,
            "awgn": None if v["snr_db"] is None else {"snr_db": v["snr_db"]},
            "iq_imbalance": imbalance if any(imbalance.values()) else None,
            "dc_offset": None if v["dc_dbc"] is None else {"level_db": v["dc_dbc"]},
            "quantiser": {"bits": v["bits"]} if v["bits"] else None,
            "drops": {"share": v["drop_share"]} if v["drop_share"] else None,
        }
