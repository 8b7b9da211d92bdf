"""``gr-jscc tx``: the transmitting host."""

from __future__ import annotations

import json
import secrets
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gr_jscc.errors import UserError
from gr_jscc.host import options, radio_choice
from gr_jscc.host.back_channel import back_channel_of
from gr_jscc.host.console import shown
from gr_jscc.host.live import LiveView, number
from gr_jscc.host.loading import loading
from gr_jscc.host.options import panels
from gr_jscc.host.options import video as video_options
from gr_jscc.host.video_hosts import send_video
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.link.capacity import total_cbr_within
from gr_jscc.link.loading import Encoding, load_sending_codec
from gr_jscc.modem.numerology_file import load_numerology
from gr_jscc.threads import share_cores

if TYPE_CHECKING:
    from gr_jscc.flowgraphs.transmitting_host import TransmitFlowgraph

AIR = "air"  # in place of a CBR: as much as the air carries


def tx(
    images: options.Images = None,
    radio: radio_choice.Radio = "",
    back_channel: options.BackChannel = "",
    codec: options.Codec = "deepjscc",
    weights: options.Weights = "",
    cbr: Annotated[
        str,
        typer.Option(
            "--cbr",
            rich_help_panel=panels.CODEC,
            help="Complex channel uses per colour value (3·H·W), e.g. 1/24, 1/12, 1/6; of frames also 'air': as much "
            "as --fps and --sample-rate leave time for.",
        ),
    ] = "1/12",
    cbr_max: options.CbrMax = "",
    eta: options.Eta = None,
    refine: options.Refine = 0,
    control_snr: options.ControlSnr = None,
    numerology: options.Numerology = "64",
    burst_symbols: options.SentBurstSymbols = str(options.BURST_SYMBOLS),
    side_info: Annotated[
        str,
        typer.Option(
            rich_help_panel=panels.LINK,
            help="How sizes and side information travel: air, in coded bursts, or back-channel.",
        ),
    ] = "air",
    repeats: Annotated[
        int,
        typer.Option(
            rich_help_panel=panels.LINK,
            min=0,
            max=20,
            help="How often lost bursts are sent again; needs a back-channel.",
        ),
    ] = 3,
    layers: Annotated[
        int,
        typer.Option(
            rich_help_panel=panels.LINK,
            min=0,
            max=64,
            help="Maximum layers or rounds of an image; 0: all that the codec has.",
        ),
    ] = 0,
    adapt: Annotated[
        bool,
        typer.Option(
            "--adapt",
            rich_help_panel=panels.LINK,
            help="Let the CBR follow the SNR that the receiver reports: --cbr applies at 10 dB; at other SNRs the "
            "CBR changes so that the same information fits the channel's capacity; that of frames in steps, once a "
            "second. Needs a back-channel.",
        ),
    ] = False,
    in_flight: Annotated[
        int, typer.Option(rich_help_panel=panels.LINK, min=1, max=64, help="Images in flight at a time.")
    ] = 8,
    feedback_timeout: Annotated[
        float,
        typer.Option(
            rich_help_panel=panels.LINK,
            min=0.01,
            help="Seconds that a codec waits for feedback after a round has been sent.",
        ),
    ] = 5.0,
    patience: options.Patience = 30.0,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            rich_help_panel=panels.INPUT,
            help="Send images again that the receiver already has from the same command.",
        ),
    ] = False,
    papr_limit: Annotated[
        float,
        typer.Option(
            rich_help_panel=panels.RADIO,
            min=0,
            max=30,
            help="Clip and filter peaks to this many dB above the mean; 0: no clipping.",
        ),
    ] = 0.0,
    profile: radio_choice.ProfileName = "",
    frequency: radio_choice.Frequency = None,
    sample_rate: radio_choice.SampleRate = None,
    gain: radio_choice.Gain = None,
    antenna: radio_choice.Antenna = "",
    tx_snr: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=panels.RADIO,
            help="Es/N0 in dB to reach at the receiver: sets the transmit gain by the profile's calibration.",
            show_default=False,
        ),
    ] = None,
    reconnect: radio_choice.Reconnect = False,
    keys: options.Keys = "",
    insecure: options.Insecure = False,
    device: options.Device = "cpu",
    precision: options.Precision = "fp32",
    quiet: options.Quiet = False,
    json_lines: options.Json = False,
    video: video_options.Video = "",
    camera: video_options.Camera = "",
    screen: video_options.Screen = False,
    watch: video_options.Watch = "",
    test_pattern: video_options.TestPattern = False,
    fps: video_options.Fps = 10.0,
    size: video_options.Size = "320x240",
    crop: video_options.Crop = "",
    seconds: video_options.Seconds = None,
) -> None:
    """Send images to a receiver on another host (gr-jscc rx), over a radio.

    With a back-channel lost bursts are sent again, and codecs that use feedback get it. Either side may start first,
    and either may be restarted: the same command does not resend what the receiver has.
    """
    follows_air = cbr == AIR and not cbr_max
    ratio = 1.0 if follows_air else options.parse_cbr(cbr_max or cbr)
    options.check_device(device)
    most_symbols = options.parse_burst_symbols(burst_symbols)
    if not back_channel and (adapt or side_info != "air" or most_symbols is None):
        raise UserError("--adapt, --side-info back-channel and --burst-symbols auto need --back-channel")
    settings = LinkSettings(
        most_symbols or options.BURST_SYMBOLS, control_snr_db=control_snr, numerology=load_numerology(numerology)
    )
    choice = radio_choice.choose_radio("tx", radio, profile, frequency, sample_rate, gain, antenna, reconnect, tx_snr)
    source = video_options.source_of(video, camera, screen, watch, test_pattern, seed=1)
    if bool(images) == (source is not None):
        raise UserError("give images to send, or one source of frames (--video, --camera, …)")
    if source is None and follows_air:
        raise UserError(f"--cbr {AIR} is for frames, each of which has a time: --fps and --sample-rate say which")
    if source is not None:
        if bool(back_channel) != adapt:
            raise UserError("frames need --adapt with --back-channel, which is for that alone: nothing is repeated")
        if adapt and (follows_air or cbr_max):
            raise UserError(f"--adapt changes the CBR of frames: without --cbr {AIR} and --cbr-max")
        if most_symbols is None or side_info != "air":
            raise UserError("frames are sent without --burst-symbols auto and --side-info back-channel")
        duration, slot = float("inf") if seconds is None else seconds, 0
        form = video_options.form_of(fps, size, crop)
        if follows_air:
            slot = int(choice.sample_rate / fps)
            ratio = total_cbr_within(slot, form.height, form.width, settings)
        encoding = Encoding(codec, ratio, weights, device, precision, bool(cbr_max) or follows_air, eta, refine)
        channel = (back_channel, keys, insecure)
        return send_video(
            source, form, duration, choice, encoding, settings, papr_limit, json_lines, quiet, slot, channel
        )

    with loading("GNU Radio"):
        from gr_jscc.codecs.sendable import sendable
        from gr_jscc.flowgraphs.transmitting_host import TransmitFlowgraph
    from gr_jscc.link.policy import SendingPolicy

    share_cores()
    encoding = Encoding(codec, ratio, weights, device, precision, bool(cbr_max), eta, refine)
    with loading(codec):
        loaded = load_sending_codec(encoding, settings)
    files = sendable(images, loaded, ratio, lambda line: print(shown(line), file=sys.stderr))
    channel = back_channel_of(back_channel, keys, insecure)
    policy = SendingPolicy(
        repeats, layers or None, side_info, adapt, most_symbols is None, in_flight, feedback_timeout, patience
    )
    run = secrets.token_hex(8) if again else ""
    graph = TransmitFlowgraph(files, choice, encoding, channel, policy, settings, run, papr_limit)
    log = _Log(len(files), graph.connected is not None)
    title = f"{codec} at CBR {cbr} to {choice.address}" + (f", back-channel {back_channel}" if back_channel else "")
    with options.stopped_by_signals(), LiveView(title, _Log.COLUMNS, json_lines, quiet) as view:
        for line in graph.radio_warnings():
            view.note(line)
        for event in graph.events():
            log.take(event, graph, view)
        log.tell_of_radio(graph, view, json_lines)
    log.conclude(view)


class _Log:
    """What has become of each image, for the view and the exit code."""

    COLUMNS = ["image", "state", "CBR", "bursts", "repeated", "SNR dB", "PSNR dB"]

    def __init__(self, images: int, has_back_channel: bool) -> None:
        self.images = images
        self.has_back_channel = has_back_channel
        self.sent = self.stored = self.skipped = self.failed = 0
        self.unconfirmed = 0
        self._was_connected: bool | None = None
        self._untold = False  # that the back-channel is lost
        self._watch = radio_choice.RadioWatch()
        self._remark: str | None = None
        self._cells: dict[int, dict] = {}
        self._psnr, self._rated = 0.0, 0  # the sum, and of how many

    def take(self, event: dict | None, graph: TransmitFlowgraph, view: LiveView) -> None:
        """Takes one of `TransmitFlowgraph.events`."""
        self._watch.look(graph, view)
        connected = graph.connected
        if self.has_back_channel and graph.channel.remark not in (None, self._remark):
            self._remark = graph.channel.remark
            view.note(self._remark)
        if self.has_back_channel and connected != self._was_connected:
            if self._was_connected is False and connected and self.sent and not self._untold:
                view.note("back-channel connected")
            self._was_connected, self._untold = connected, self._was_connected is True
            view.update(**{"back-channel": "connected" if connected else "waiting"})
        if event is None:
            # Only now is it known that news of the last picture is not waiting: a receiver that has all may leave.
            if self._untold and self.stored + self.failed + self.skipped < self.images:
                view.note("back-channel lost: continuing without feedback")
            self._untold = False
            return
        kind, transfer = event["event"], event.get("transfer", -1)
        if kind == "air":
            view.flow(event["air"])
            return
        if kind == "left_out":  # of which the encoder has told
            return
        if kind == "finished":
            self.unconfirmed = event["unconfirmed"]
            return
        if kind == "skipped":
            self.skipped += 1
            view.update(skipped=self.skipped)
            return
        cells = self._cells.setdefault(transfer, {"name": event.get("name", "")})
        if kind == "sent":
            self.sent += 1
            cells |= event | {"state": "sending" if self.has_back_channel else "sent"}
        elif kind == "state":
            cells["snr_db"] = event["snr_db"]
            view.update(SNR=f"{number(event['snr_db'])} dB", CFO=f"{number(event['cfo'] * 1e6, 1)} ppm of the rate")
        elif kind == "done":
            cells |= event | {"state": "decoding" if cells.get("state") == "decoding" else "sent"}
        elif kind == "decoding":
            cells["state"] = "decoding"
        elif kind == "stored":
            self.stored += 1
            psnr = event.get("psnr_db")
            cells |= {"state": "arrived", "psnr_db": psnr}
            if psnr is not None:
                self._psnr, self._rated = self._psnr + psnr, self._rated + 1
                view.update(**{"mean PSNR": f"{self._psnr / self._rated:.2f} dB"})
        elif kind in ("again", "failed"):
            self.failed += kind == "failed"
            cells["state"] = "given up" if kind == "failed" else "sent anew"
        elif kind == "late":
            cells["state"] = "without feedback"
        view.update(images=f"{self.stored if self.has_back_channel else self.sent} of {self.images}")
        last = kind in ("stored", "failed") or (kind == "sent" and not self.has_back_channel)
        uses = cells.get("payload", 0) + cells.get("side_info", 0) + cells.get("header", 0)
        record = {"event": kind, "name": cells["name"], "transfer": transfer, "state": cells.get("state")}
        record |= {key: cells.get(key) for key in ("cbr", "bursts", "repeated", "snr_db", "psnr_db")} | {"uses": uses}
        view.picture(transfer, self._row(cells), record, last)
        if last:
            del self._cells[transfer]

    @staticmethod
    def _row(cells: dict) -> list[str]:
        return [
            cells["name"], cells.get("state", ""), number(cells.get("cbr"), 4), str(cells.get("bursts", "–")),
            str(cells.get("repeated", "–")), number(cells.get("snr_db")), number(cells.get("psnr_db")),
        ]  # fmt: skip

    def tell_of_radio(self, graph: TransmitFlowgraph, view: LiveView, json_lines: bool) -> None:
        """Says what a device did."""
        if graph.choice.is_device:
            self._watch.look(graph, view)
            if json_lines:
                print(json.dumps({"event": "radio", "radio": graph.radio_report()}), flush=True)

    def conclude(self, view: LiveView) -> None:
        """Says how it ended.

        Raises:
            UserError: images that did not arrive.
        """
        if self.skipped:
            view.note(f"the receiver already had {self.skipped} of {self.images} images; --again sends them again")
        if self.failed:
            raise UserError(f"{self.failed} of {self.images} images did not arrive")
        if self.unconfirmed:
            view.note(f"{self.unconfirmed} images were sent, but the receiver did not confirm them")
