"""What the transmitter is told of a round that was handed over: the state of the channel, and the round itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from gr_jscc.codecs.base import Codec, Reception
from gr_jscc.link.arrival import Arrival
from gr_jscc.link.back_channel import ChannelState, Stop, Symbols, quantise


def channel_state(arrival: Arrival) -> ChannelState:
    """How the channel was in a round."""
    return ChannelState(
        arrival.transfer, arrival.round, arrival.snr_db, arrival.cfo, arrival.evm_db, arrival.bursts_received,
        arrival.bursts_sent,
    )  # fmt: skip


class Feedback:
    """Feeds rounds back as they arrived, to codecs that want it.

    Args:
        codec: that the transmitter is believed to use.
        tell: hands a message to the back-channel.
        symbols: how they are fed back, ``complex64``, ``float16`` or ``int8``.
        rounds: of a picture that are good enough; the transmitter is told to send no more. None wants all.
        snr_db: Es/N0 of a feedback channel to imitate, whose white noise only the transmitter's copy has; None for the
            back-channel as it is.

    Example:
        >>> from gr_jscc.codecs.separation.codec import Separation
        >>> from gr_jscc.link.arrival import nothing
        >>> told = []
        >>> feedback = Feedback(Separation("jpeg:ldpc-2/3:16qam"), told.append, "int8", rounds=1, snr_db=None)
        >>> arrival = feedback.send(nothing(transfer=7, round_=0))
        >>> [type(message).__name__ for message in told]
        ['Stop', 'ChannelState']
    """

    def __init__(
        self, codec: Codec, tell: Callable[[object], None], symbols: str, rounds: int | None, snr_db: float | None
    ) -> None:
        self._codec, self._tell, self._format, self._rounds, self._snr_db = codec, tell, symbols, rounds, snr_db
        self._noise = np.random.default_rng(1)

    def send(self, arrival: Arrival) -> Arrival:
        """Sends a round back; returns it as the codec here is to have it, equal to what the other side will hold."""
        key = (arrival.transfer, arrival.round)
        if self._rounds is not None and arrival.round + 1 >= self._rounds:
            self._tell(Stop(arrival.transfer))  # before anything that makes the transmitter go on
        if self._codec.uses_feedback and arrival.reception is not None:
            symbols, noise_var = quantise(arrival.reception.symbols, arrival.reception.noise_var, self._format)
            self._tell(Symbols(*key, self._disturbed(symbols), noise_var, self._format))
            reception = Reception(symbols, noise_var, arrival.reception.side_info)
            arrival = dataclasses.replace(arrival, reception=reception)
        self._tell(channel_state(arrival))
        return arrival

    def _disturbed(self, symbols: np.ndarray) -> np.ndarray:
        """Symbols as an imitated feedback channel delivers them; their power counts as that of a round, 1."""
        if self._snr_db is None:
            return symbols
        noise = self._noise.standard_normal((len(symbols), 2), np.float32).view(np.complex64)[:, 0]
        return symbols + noise * np.float32(np.sqrt(0.5 * 10 ** (-self._snr_db / 10)))
