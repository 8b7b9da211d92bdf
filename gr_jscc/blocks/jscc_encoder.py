"""Images to bursts of complex symbols: a codec's transmitting half and the link's sending end."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pmt
from gnuradio import gr

from gr_jscc.codecs.base import CodecError
from gr_jscc.link.accounting import ChannelUses
from gr_jscc.link.bursts import Burst, LinkSettings
from gr_jscc.link.loading import Encoding, load_sending_codec
from gr_jscc.link.policy import SendingPolicy
from gr_jscc.link.sending import SendingEnd
from gr_jscc.link.session import Session
from gr_jscc.scheduler.control import Connection, Opening, control_message, read_control
from gr_jscc.scheduler.events import event_message, read_event
from gr_jscc.scheduler.guard import WORK_DONE, fail, guarded, warn
from gr_jscc.scheduler.keeping import kept_while_running
from gr_jscc.scheduler.tags import BURST, ROUND_END, message_fields, message_image, notice, u8vector_of_bytes
from gr_jscc.scheduler.ticker import Ticker
from gr_jscc.scheduler.worker import Worker


@kept_while_running
class jscc_encoder(gr.basic_block):  # noqa: N801
    """Encodes images with a JSCC codec and streams their bursts. What the codec cannot send is left out and told.

    Message ports: ``image`` in (see `image_source`); ``ready`` out asks for the next image; ``sent``
    out reports each picture with its transfer number, and what becomes of it (see `SendingEnd`).
    Stream out: complex64 symbols of mean power 1, tagged ``burst`` (see `gr_jscc.scheduler.tags`).

    With a back-channel, ports ``to_back_channel`` and ``from_back_channel`` are connected to `back_channel`, and
    ``air`` to the modulator's: lost bursts are then repeated, and codecs that use feedback get it.

    The network runs in a thread of its own. When the modulator is slower, no further image is asked
    for. Nothing is dropped: images of a source that does not wait for ``ready`` are queued.

    Args:
        codec, cbr, weights, device, precision, total, eta, refine: see `Encoding`.
        settings: how rounds become bursts.
        policy: how a back-channel is used; None without one.
        run: name of the run. A receiver does not take pictures of one run twice, whoever was started again.
        session: this start of the sender, of which receivers tell it from others; None: a random one.

    Raises:
        CodecError: unknown codec, or one that is only a bound, or a rate it does not serve.
        WeightsError: bad weights.

    Example:
        >>> jscc_encoder("deepjscc", cbr=1 / 12).codec.name
        'deepjscc'
    """

    def __init__(
        self,
        codec: str = "deepjscc",
        cbr: float = 1 / 12,
        weights: str = "",
        device: str = "cpu",
        precision: str = "fp32",
        settings: LinkSettings | None = None,
        policy: SendingPolicy | None = None,
        run: str = "",
        total: bool = False,
        eta: float | None = None,
        refine: int = 0,
        session: Session | None = None,
    ) -> None:
        gr.basic_block.__init__(self, name="JSCC Encoder", in_sig=None, out_sig=[np.complex64])
        self.failure: Exception | None = None
        self.codec = load_sending_codec(Encoding(codec, cbr, weights, device, precision, total, eta, refine), settings)
        self.codec.transmitter(cbr)  # a rate it does not serve is told now
        if settings and settings.manifest_seconds:
            self.codec = self.codec.of_stream(settings.refresh)
        # Of any depth: a full queue would stop this thread.
        self._worker = Worker(lambda task: task[0](*task[1:]), 0, lambda error: fail(self, error))
        self._session = session or Session.fresh()
        self.sending = SendingEnd(
            self.codec, cbr, self._defer, self._publish,
            dataclasses.replace(settings or LinkSettings(), session=self._session), policy,
            send=self._send if policy and not policy.listens_only else None,
        )  # fmt: skip
        self._has_peer = policy is not None
        self._run = hashlib.blake2b(repr((run, codec, cbr)).encode(), digest_size=8).digest()
        self._left_out: dict[str, str] = {}  # pictures by name, and why
        self._sent_any = False
        self._train: list[Burst] = []
        self._written = 0  # symbols of the first burst of the train
        self._ticker = Ticker(self, "wake")
        self.message_port_register_in(pmt.intern("image"))
        self.set_msg_handler(pmt.intern("image"), self.handle_image)
        # A source of images that ends tells its neighbours to. The default is to obey at once.
        self.message_port_register_in(pmt.intern("system"))
        self.set_msg_handler(pmt.intern("system"), self.handle_system)
        self.message_port_register_in(pmt.intern("wake"))
        self.set_msg_handler(pmt.intern("wake"), self.handle_wake)
        self.message_port_register_in(pmt.intern("air"))
        self.set_msg_handler(pmt.intern("air"), self.handle_air)
        self.message_port_register_in(pmt.intern("from_back_channel"))
        self.set_msg_handler(pmt.intern("from_back_channel"), self.handle_back_channel)
        for port in ("ready", "sent", "to_back_channel"):
            self.message_port_register_out(pmt.intern(port))

    def set_cbr(self, cbr: float) -> None:
        """Changes the rate of the images to come.

        Raises:
            CodecError: the codec does not serve it.
        """
        self.codec.transmitter(cbr)
        self.sending.cbr = cbr

    def start(self) -> bool:
        self._worker.start()
        self._ticker.start()
        if self._has_peer:
            codec = self.codec
            opening = Opening(
                "transmitter", codec.name, codec.weights_name, codec.weights_hash, self._run,
                self._session.word, self._session.key, self.sending.policy.listens_only,
            )  # fmt: skip
            self.message_port_pub(pmt.intern("to_back_channel"), control_message(opening))
        if self.codec.uses_feedback and not self.sending.uses_back_channel:
            warn(self, f"{self.codec.name} works better with feedback, but there is no back-channel: it sends without")
        self._ask()
        return True

    def stop(self) -> bool:
        self._ticker.stop()
        self.sending.cancel()
        self._worker.finish()
        return True

    @property
    def encoding(self) -> bool:
        """Whether the network is at work, or will be at once."""
        return self._worker.busy

    def _defer(self, *task: object) -> None:
        self._worker.submit(task)

    def _ask(self) -> None:
        for _ in range(self.sending.requests()):
            self.message_port_pub(pmt.intern("ready"), pmt.PMT_T)

    def _publish(self, fields: dict, image: np.ndarray | None) -> None:
        if fields["event"] == "left_out":
            self._leave_out(fields["name"], fields["reason"])
            self.message_port_pub(pmt.intern("sent"), event_message(**fields))
            return
        self._sent_any = self._sent_any or fields["event"] in ("sent", "skipped")
        self.message_port_pub(pmt.intern("sent"), event_message(image=image, **fields))
        self._ticker.now()  # there may be something to send

    def _leave_out(self, name: str, reason: str) -> None:
        """Tells once of a picture that the codec cannot send, in the codec's thread."""
        if self._left_out.get(name) != reason:
            self._left_out[name] = reason
            warn(self, f"skipped {len(self._left_out)} so far, most recently {name}: {reason}")
        self._ticker.now()

    def _send(self, message: object) -> None:
        self.message_port_pub(pmt.intern("to_back_channel"), control_message(message))

    @guarded
    def handle_wake(self, message: pmt.pmt_base) -> None:
        self.sending.tick()
        self._ask()

    def handle_system(self, message: pmt.pmt_base) -> None:
        """Ends after the images that came before."""
        self.to_basic_block()._post(pmt.intern("image"), notice(end=True))

    @guarded
    def handle_image(self, message: pmt.pmt_base) -> None:
        fields = message_fields(message)
        image = message_image(message)
        if image is not None:
            self.sending.submit(str(fields.get("name", "")), image)
        elif "end" in fields:
            self.sending.finish()
        else:
            raise ValueError("a message without a picture")

    @guarded
    def handle_air(self, message: pmt.pmt_base) -> None:
        _, f, _ = read_event(message)
        uses = ChannelUses(f["payload"], f["side_info"], f["header"], f["air"])
        self.sending.train_sent(f["transfer"], f["round"], uses, f["papr_db"], f["start"])

    @guarded
    def handle_back_channel(self, message: pmt.pmt_base) -> None:
        content = read_control(message)
        if isinstance(content, Connection):
            self.sending.connection(content.connected, content.restarted, content.encrypted)
        else:
            self.sending.message(content)
        self._ask()

    @guarded
    def general_work(self, input_items: list, output_items: list) -> int:
        out = output_items[0]
        done = 0
        while done < len(out) and (self._train or self._take_train()):
            burst = self._train[0]
            if self._written == 0:
                self._tag(burst, self.nitems_written(0) + done)
            count = min(len(out) - done, len(burst.symbols) - self._written)
            out[done : done + count] = burst.symbols[self._written : self._written + count]
            done += count
            self._written += count
            if self._written == len(burst.symbols):
                self._train.pop(0)
                self._written = 0
        if done == 0 and self.sending.finished:
            if self._left_out and not self._sent_any:
                raise CodecError("; ".join(f"{name}: {reason}" for name, reason in self._left_out.items()))
            self.sending.say_bye()
            self.message_port_pub(pmt.intern("sent"), event_message("finished", unconfirmed=self.sending.unconfirmed))
            return WORK_DONE
        return done

    def _take_train(self) -> bool:
        self._train = self.sending.next_train() or []
        self._ask()
        return bool(self._train)

    def _tag(self, burst: Burst, offset: int) -> None:
        self.add_item_tag(0, offset, BURST, u8vector_of_bytes(burst.header.pack()))
        if len(self._train) == 1:
            self.add_item_tag(0, offset, ROUND_END, pmt.PMT_T)
