"""A link with faults whose truth is known, of the channel models."""

from dataclasses import dataclass

import numpy as np

from gr_jscc.channel import Awgn, CarrierOffset, IqImbalance, PhaseNoise, Quantiser, SampleOffset

FREQUENCY, SAMPLE_RATE = 2.45e9, 2e6


def mixer(gain_db, phase_degrees):
    """(μ, ν) of `IqImbalance`."""
    arm = 10 ** (gain_db / 20) * np.exp(1j * np.radians(phase_degrees))
    return (1 + np.conj(arm)) / 2, (1 - arm) / 2


@dataclass
class FaultyLink:
    """What a transmitter, a cable and a receiver do to samples.

    Attributes:
        lo_offset: cycles per sample by which the receiver is tuned below the transmitter.
        ppm: by which the transmitter's reference is fast.
        tx_iq, rx_iq: (gain dB, phase degrees).
        tx_dc, rx_dc: in units of full scale.
        snr_db: of the samples at the receiver.
        bits: of the receiver's converter.
        seed: of noise and phase noise.
    """

    lo_offset: float = 0.15
    ppm: float = 0.0
    tx_iq: tuple = (0.0, 0.0)
    rx_iq: tuple = (0.0, 0.0)
    tx_dc: complex = 0
    rx_dc: complex = 0
    snr_db: float = 30.0
    bits: int = 12
    phase_noise: float = 0.4
    seed: int = 1

    @classmethod
    def drawn(cls, seed, **more):
        """All faults at random."""
        rng = np.random.default_rng(seed)
        dc = [complex(*rng.uniform(-0.03, 0.03, 2)) for _ in range(2)]
        iq = [(rng.uniform(-1, 1), rng.uniform(-5, 5)) for _ in range(2)]
        return cls(0.15, rng.uniform(-20, 20), *iq, *dc, seed=seed, **more)

    @property
    def offset(self):
        """Cycles per sample at which the transmitter's carrier is seen."""
        return self.lo_offset + self.ppm * 1e-6 * FREQUENCY / SAMPLE_RATE

    def carry(self, samples):
        out = IqImbalance(*self.tx_iq).process(samples) + np.complex64(self.tx_dc)
        out = CarrierOffset(self.offset).process(SampleOffset(self.ppm).process(out))
        out = PhaseNoise(self.phase_noise, seed=self.seed).process(out) * np.complex64(0.5 * np.exp(1j))
        power = np.mean(np.abs(out) ** 2)
        out = Awgn(self.snr_db - 10 * np.log10(power), seed=self.seed).process(out)
        out = IqImbalance(*self.rx_iq).process(out) + np.complex64(self.rx_dc)
        return Quantiser(self.bits, 0, mean_power=1).process(out)

    @property
    def rx_correction(self):
        """The numbers that undo the receiver's faults: dc, iq."""
        mu, nu = mixer(*self.rx_iq)
        return self.rx_dc, -nu / np.conj(mu)

    @property
    def tx_correction(self):
        """The numbers that undo the transmitter's faults: dc, iq."""
        mu, nu = mixer(*self.tx_iq)
        ratio, image = self.tx_dc / mu, nu / mu
        return (ratio - image * np.conj(ratio)) / (1 - abs(image) ** 2), -image
