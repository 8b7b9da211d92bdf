"""Both ends of the link in one process, on a clock that only moves when told: air and back-channel are queues."""

from __future__ import annotations

import collections

import numpy as np
from hand_clock import HandClock

from gr_jscc.codecs.base import Codec, Payload, Receiver, Reception, Transmitter
from gr_jscc.link.accounting import count_uses
from gr_jscc.link.back_channel import Have, Report
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.reception import ReceivingEnd
from gr_jscc.link.sending import SendingEnd
from gr_jscc.link.session import Session
from gr_jscc.modem import ReceivedBurst
from gr_jscc.modem.numerology import DEFAULT_NUMEROLOGY

STEP_SECONDS = 0.02
BURST_SAMPLES = 5000
SILENCE_SAMPLES = 98_304  # as the modulator appends when nothing follows


class ToyCodec(Codec):
    """Sends noise that stands for the picture in so many rounds, and remembers what it was given."""

    name = "toy"
    weights_name = "toy-1"
    weights_hash = b"toy1"

    def __init__(self, rounds: int = 1, feedback: bool = False, symbols: int = 12_000) -> None:
        self.rounds, self.symbols = rounds, symbols
        self.uses_feedback = feedback
        self.fed_back: list[Reception | None] = []
        self.cbrs: list[float] = []
        self.pushed: list[Reception] = []
        self.cbr_range = 0.01, 0.5

    cbr_range = (0.01, 0.5)

    def transmitter(self, cbr: float) -> Transmitter:
        self.cbrs.append(cbr)
        return _Transmitter(self)

    def receiver(self, height: int, width: int) -> Receiver:
        return _Receiver(self, height, width)


class _Transmitter(Transmitter):
    def __init__(self, codec: ToyCodec) -> None:
        self.codec, self.round = codec, 0

    def start(self, image: np.ndarray) -> Payload:
        self.rng = np.random.default_rng(int(image[0, 0, 0]))
        return self._payload()

    def next(self, feedback: Reception | None) -> Payload | None:
        self.codec.fed_back.append(feedback)
        self.round += 1
        return self._payload() if self.round < self.codec.rounds else None

    def _payload(self) -> Payload:
        symbols = np.exp(2j * np.pi * self.rng.random(self.codec.symbols))
        return Payload(symbols.astype(np.complex64), bytes([self.round]))


class _Receiver(Receiver):
    def __init__(self, codec: ToyCodec, height: int, width: int) -> None:
        self.codec, self.size = codec, (height, width)

    def push(self, reception: Reception) -> np.ndarray:
        self.codec.pushed.append(reception)
        return np.zeros((*self.size, 3), np.uint8)


def picture(number: int) -> np.ndarray:
    """uint8[200, 400, 3], all of one grey: enough for what any codec here sends."""
    return np.full((200, 400, 3), number, np.uint8)


class SimulatedLink:
    """Two ends, a lossy air and a back-channel that can be cut.

    Args:
        codec: of both ends.
        policy: of the sending end; None for no back-channel.
        loss: called with a burst's header, true when the air loses it.
        bursts_a_step: how fast the air is.
        noise_var: of all received symbols.
        pace: samples per second, in place of ``bursts_a_step``.
        buffered: samples that the transmitter may be ahead of the air: so much earlier a train counts as sent.
        together: samples that the demodulator works on at once.
        counted: whether the ends are told of samples, as ours are.
    """

    def __init__(
        self, codec, policy=None, loss=lambda header: False, bursts_a_step=1, noise_var=0.1, pace=None, buffered=0,
        together=1, counted=True,
    ) -> None:  # fmt: skip
        self.codec, self.policy, self.loss, self.noise_var = codec, policy, loss, noise_var
        self.pace = pace or bursts_a_step * BURST_SAMPLES / STEP_SECONDS
        self.buffered, self.together, self.counted = buffered, together, counted
        self.stuck = False  # samples lie in a buffer and do not move
        self.made = 0  # samples that the transmitter made
        self.passed = 0.0  # that came to the receiver
        self.clock = HandClock()
        self.cut = False  # the back-channel holds its messages
        self.air: collections.deque = collections.deque()  # bursts, with the sample at which each begins
        self.announced: collections.deque = collections.deque()  # trains that the transmitter has not yet told of
        self.to_sender, self.to_receiver = collections.deque(), collections.deque()
        self.events: list[dict] = []
        self.reports: list[tuple[int, dict]] = []  # what the transmitter told the receiver
        self.arrivals: list = []
        self.decoded: set[int] = set()  # transfers
        self.sent_bursts = 0
        self.rng = np.random.default_rng(1)
        self.sending = self.new_sender()
        self.receiving = self.new_receiver()

    def new_sender(self, session: Session | None = None) -> SendingEnd:
        send = self.to_receiver.append if self.policy else None
        return SendingEnd(
            self.codec, 1 / 12, lambda f, *a: f(*a), lambda fields, image: self.events.append(fields),
            LinkSettings(session=session or Session()), self.policy, send, clock=self.clock,
        )  # fmt: skip

    def new_receiver(self, **options) -> ReceivingEnd:
        send = self.to_sender.append if self.policy else None
        return ReceivingEnd(self.codec, send, clock=self.clock, **options)

    def connect(self, connected: bool = True) -> None:
        self.cut = not connected
        self.sending.connection(connected)
        self.receiving.connection(connected)

    def meet(self) -> None:
        """Connects, and the receiver says that it has no picture yet."""
        self.connect()
        self.sending.message(Have(bytes(8), ()))

    def events_of(self, kind: str) -> list[dict]:
        return [event for event in self.events if event["event"] == kind]

    def run(self, seconds: float) -> None:
        """Lets time pass."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.step()

    def step(self) -> None:
        self.clock.now += STEP_SECONDS
        idle = False
        while self.made - self.passed <= self.buffered and (train := self.sending.next_train()):
            self._put_on_air(list(train))
            train.clear()  # as a block does that sends it burst by burst
            idle = True
        if idle:  # nothing follows at once
            self.made += SILENCE_SAMPLES
        if not self.stuck:
            self.passed = min(self.passed + self.pace * STEP_SECONDS, self.made)
        while self.announced and self.announced[0][0] - self.passed <= self.buffered:
            _, start, header, uses = self.announced.popleft()
            self.sending.train_sent(header.transfer, header.round, uses, 10.0, start if self.counted else None)
        settled = int(self.passed // self.together * self.together)
        while self.air and self.air[0][1] + BURST_SAMPLES <= settled:
            burst, start = self.air.popleft()
            self.sent_bursts += 1
            if not self.loss(burst.header):
                self._arrived(self.receiving.burst(self._received(burst, start)))
        if self.counted:
            nothing_before = self.air[0][1] if self.air else settled
            self.receiving.samples(int(self.passed), min(settled, nothing_before), False)
        if not self.cut:
            for queue, hear in ((self.to_receiver, self._hear), (self.to_sender, self.sending.message)):
                for _ in range(len(queue)):
                    hear(self._over_the_wire(queue.popleft()))
        self.sending.tick()
        self._arrived(self.receiving.tick())

    def _put_on_air(self, train) -> None:
        start = self.made
        for burst in train:
            start, self.made = self.made, self.made + BURST_SAMPLES
            self.air.append((burst, start))
        uses = count_uses([burst.header for burst in train], DEFAULT_NUMEROLOGY)
        self.announced.append((self.made, start, train[0].header, uses))

    @staticmethod
    def _over_the_wire(message):
        return type(message).unpack(message.pack())

    def _received(self, burst, start) -> ReceivedBurst:
        count = len(burst.symbols)
        noise = self.rng.standard_normal((count, 2)) @ np.array([1, 1j]) * np.sqrt(self.noise_var / 2)
        variance = np.full(count, self.noise_var, np.float32)
        return ReceivedBurst(
            burst.header, (burst.symbols + noise).astype(np.complex64), variance, start, 0.0, 10.0, -10.0
        )

    def _hear(self, message) -> None:
        self._arrived(self.receiving.message(message))
        if isinstance(message, Report):
            self.reports.append((message.transfer, message.content))
            if message.content["event"] == "done":
                event = "stored" if message.transfer in self.decoded else "failed"
                self.to_sender.append(Report(message.transfer, {"event": event, "psnr_db": None}))

    def _arrived(self, arrivals) -> None:
        for arrival in arrivals:
            self.arrivals.append(arrival)
            if self.receiving.pictures.decode(arrival) is not None:
                self.decoded.add(arrival.transfer)
