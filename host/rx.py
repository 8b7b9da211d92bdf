"""``gr-jscc rx``: the receiving host."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Annotated

import typer

from gr_jscc.errors import UserError
from gr_jscc.host import log, options, radio_choice
from gr_jscc.host.back_channel import back_channel_of
from gr_jscc.host.live import LiveView, number
from gr_jscc.host.loading import loading
from gr_jscc.host.options import panels
from gr_jscc.host.options import video as video_options
from gr_jscc.host.service import Alive, Metric, metrics_page, notify
from gr_jscc.host.video_hosts import receive_video
from gr_jscc.link.loading import Decoding
from gr_jscc.modem.numerology_file import load_numerology
from gr_jscc.reports.collector import Result
from gr_jscc.threads import share_cores

COLUMNS = ["image", "PSNR dB", "CBR total", "as papers", "bursts", "lost", "SNR dB", "CFO Hz"]


def rx(
    radio: radio_choice.Radio = "",
    back_channel: options.BackChannel = "",
    out: Annotated[
        Path, typer.Option(rich_help_panel=panels.OUTPUT, help="Folder for each image's picture and report.json.")
    ] = Path("received"),
    codec: options.Codec = "deepjscc",
    weights: options.Weights = "",
    originals: Annotated[
        str,
        typer.Option(
            rich_help_panel=panels.OUTPUT,
            help="Folder with the images that are sent, for PSNR in the reports.",
            show_default=False,
        ),
    ] = "",
    once: Annotated[
        bool,
        typer.Option("--once", rich_help_panel=panels.LINK, help="End when the transmitter has sent all its images."),
    ] = False,
    idle: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=panels.LINK,
            min=0.1,
            help="End after this many seconds without an image.",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[
        int,
        typer.Option(
            rich_help_panel=panels.LINK,
            min=0,
            help="Stop the transmitter after this many layers of an image; 0: receive all.",
        ),
    ] = 0,
    feedback: Annotated[
        str,
        typer.Option(
            rich_help_panel=panels.LINK,
            help="How received symbols are fed back: complex64 (exact), float16 or int8 (a quarter).",
        ),
    ] = "complex64",
    feedback_snr: Annotated[
        float,
        typer.Option(
            rich_help_panel=panels.LINK,
            min=0,
            max=60,
            help="Es/N0 in dB of an analog feedback channel to imitate; 0: as exact as its format.",
        ),
    ] = 0.0,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            rich_help_panel=panels.OUTPUT,
            help="Record what is received as SigMF, NAME.sigmf-data and NAME.sigmf-meta; see gr-jscc replay.",
            show_default=False,
        ),
    ] = None,
    numerology: options.Numerology = "64",
    latency: options.Latency = "50ms",
    profile: radio_choice.ProfileName = "",
    frequency: radio_choice.Frequency = None,
    sample_rate: radio_choice.SampleRate = None,
    gain: radio_choice.Gain = None,
    antenna: radio_choice.Antenna = "",
    reconnect: radio_choice.Reconnect = False,
    patience: options.Patience = 60.0,
    memory_limit: Annotated[
        int,
        typer.Option(
            rich_help_panel=panels.SECURITY,
            min=16,
            help="Memory limit in MiB for rounds that are being received, and the same again for those that wait "
            "for the decoder. Rounds beyond it are dropped and reported.",
        ),
    ] = 1024,
    keys: options.Keys = "",
    insecure: options.Insecure = False,
    device: options.Device = "cpu",
    precision: options.Precision = "fp32",
    quiet: options.Quiet = False,
    json_lines: options.Json = False,
    film: video_options.Film = None,
    page: video_options.Page = "",
    fps: video_options.FilmFps = 10.0,
    log_format: options.LogFormat = "text",
    metrics: options.Metrics = "",
) -> None:
    """Receive images from a transmitter on another host (gr-jscc tx), over a radio.

    Runs until it is interrupted, unless an option says when to end. Every image gets a folder with received.png and
    report.json. With a back-channel, lost bursts are sent again. Either side may start first, and either may be
    restarted.
    """
    from gr_jscc.link.back_channel import FORMATS

    options.check_device(device)
    if layers and not back_channel:
        raise UserError("--layers needs --back-channel, to tell the transmitter")
    if once and not back_channel and idle is None:
        raise UserError("--once needs --back-channel, to learn that all images were sent; without it use --idle")
    options.check_choice("--feedback", feedback, tuple(FORMATS))
    layout, wait = load_numerology(numerology), options.parse_latency(latency)
    choice = radio_choice.choose_radio("rx", radio, profile, frequency, sample_rate, gain, antenna, reconnect)

    if film is not None or page:
        if record or originals or metrics or once or layers:
            what = "--record, --originals, --metrics, --once and --layers"
            raise UserError(f"--film and --page receive frames: without {what}")
        decoding = Decoding(codec, weights, device, precision, memory_mib=memory_limit)
        ends = math.inf if idle is None else idle
        told = (back_channel, keys, insecure)
        return receive_video(choice, decoding, layout, film, page, fps, ends, json_lines, quiet, wait, told)

    with loading("GNU Radio"):
        from gr_jscc.flowgraphs.receiving_host import ReceiveFlowgraph

    share_cores()
    channel = back_channel_of(back_channel, keys, insecure)
    decoding = Decoding(codec, weights, device, precision, feedback, patience, layers, feedback_snr, memory_limit)
    with loading(codec):
        graph = ReceiveFlowgraph(choice, out, decoding, channel, originals, record, layout, wait)
    title = f"{codec} from {choice.address}" + (f", back-channel {back_channel}" if back_channel else "")
    shown, alive = _Shown(), Alive()
    served = metrics_page(metrics, lambda: shown.metrics(graph))
    with options.stopped_by_signals(), served, LiveView(title, COLUMNS, json_lines, quiet) as view:
        for line in graph.radio_warnings():
            view.note(line)
        # Closed here, however it ends, so that a recording is finished.
        with contextlib.closing(graph.results(once, math.inf if idle is None else idle)) as results:
            for result in results:
                alive.beat()
                shown.take(result, graph, view)
        notify("STOPPING=1")
        shown.tell_of_weights(graph, view)
    shown.conclude(graph, out, json_lines, quiet)


class _Shown:
    """What the view tells of the results."""

    def __init__(self) -> None:
        self._images = 0
        self._psnr, self._rated = 0.0, 0  # the sum, and of how many: a run has no end, and its reports are on disk
        self._refusal: str | None = None
        self._connected: bool | None = None
        self._told_of_weights = False
        self._watch = radio_choice.RadioWatch()
        self._last: dict[str, float | None] = {}  # of the newest picture
        self._bursts = {"sent": 0, "lost": 0}  # of all pictures

    def take(self, result: Result | None, graph, view: LiveView) -> None:
        """Takes one of `ReceiveFlowgraph.results`."""
        self._watch.look(graph, view)
        connected = graph.connected
        if connected is not None:
            if connected != self._connected:
                if self._connected and not graph.sink.said_bye.is_set():
                    view.note("back-channel lost: lost bursts are not repeated")
                self._connected = connected
                view.update(**{"back-channel": "connected" if connected else "waiting"})
            if graph.channel.refusal not in (None, self._refusal):
                self._refusal = graph.channel.refusal
                view.note(self._refusal)
        self.tell_of_weights(graph, view)
        if result is None:
            return
        report = result.report
        link, bursts = report["link"], report["bursts"]
        view.update(SNR=f"{number(link['snr_est_db'])} dB", CFO=f"{number(link['cfo_hz'], 1)} Hz")
        cells = [
            report["image"]["name"], number(report["psnr_db"]), number(report["cbr"]["total"], 4),
            number(report["cbr"]["paper"], 4),
            str(bursts["sent"]), str(bursts["lost"]), number(link["snr_est_db"]), number(link["cfo_hz"], 1),
        ]  # fmt: skip
        if result.final:
            self._images += 1
            self._last = {"snr": link["snr_est_db"], "cfo": link["cfo_hz"], "psnr": report["psnr_db"]}
            for name in self._bursts:
                self._bursts[name] += bursts[name]
            view.update(images=self._images)
            if report["uses"]["air"]:
                view.flow(report["uses"]["air"])
            if report["psnr_db"] is not None:
                self._psnr, self._rated = self._psnr + report["psnr_db"], self._rated + 1
            view.update(**{"mean PSNR": None if self._mean is None else f"{self._mean:.2f} dB"})
        view.picture(result.transfer, cells, report, result.final)

    def tell_of_weights(self, graph, view: LiveView) -> None:
        """Says once that something came which this receiver cannot decode."""
        if graph.decoder.refused and not self._told_of_weights:
            self._told_of_weights = True
            view.note("received rounds made with other weights: start rx with the transmitter's --codec and --weights")

    def metrics(self, graph) -> list[Metric]:
        """The figures for Prometheus."""
        radio = graph.radio.statistics
        bursts = {(("state", state),): count for state, count in self._bursts.items()}
        return [
            Metric("jscc_pictures", "Pictures received.", True, {(): self._images}),
            Metric("jscc_bursts", "Bursts of these pictures.", True, bursts),
            Metric("jscc_snr_db", "Es/N0 of the newest picture as estimated, dB.", False, {(): self._last.get("snr")}),
            Metric("jscc_cfo_hz", "Carrier offset of the newest picture, Hz.", False, {(): self._last.get("cfo")}),
            Metric("jscc_psnr_db", "PSNR of the newest picture whose original is known, dB.", False,
                   {(): self._last.get("psnr")}),
            Metric("jscc_decoder_queue", "Rounds that wait for the network.", False, {(): graph.decoder.waiting}),
            Metric("jscc_radio_overflows", "Times that the radio lost samples.", True, {(): radio.overflows}),
            Metric("jscc_radio_lost_samples", "Samples lost so.", True, {(): radio.lost_samples}),
            Metric("jscc_back_channel_connected", "1 with a transmitter on the back-channel.", False,
                   {(): self._connected}),
        ]  # fmt: skip

    @property
    def _mean(self) -> float | None:
        """The mean PSNR so far, dB; None where no original is known."""
        return self._psnr / self._rated if self._rated else None

    def conclude(self, graph, out: Path, json_lines: bool, quiet: bool) -> None:
        """Says what there is now."""
        mean = None if self._mean is None else round(self._mean, 3)
        strangers = graph.decoder.strangers
        if json_lines:
            told = {"images": self._images, "psnr_db": mean}
            if strangers:
                told["strangers"] = {f"{sender:02x}": count for sender, count in strangers.items()}
            print(json.dumps(told | ({"radio": graph.radio_report()} if graph.choice.is_device else {})), flush=True)
        elif log.logs_json():
            log.tell("ended", "info", images=self._images, psnr_db=mean)
        elif not quiet:
            psnr = "" if mean is None else f", mean PSNR {mean:.2f} dB"
            print(f"{self._images} images{psnr}: {out}/", flush=True)
            if strangers:
                heard = f"{sum(strangers.values())} bursts of {len(strangers)} other transmitters"
                print(f"ignored {heard}", flush=True)
            if graph.decoder.forged:
                print(f"ignored {graph.decoder.forged} manifests that its transmitter did not send", flush=True)
            if graph.recording:
                print(f"{graph.recording.seconds:.3g} s recorded: {graph.recording.meta}", flush=True)
