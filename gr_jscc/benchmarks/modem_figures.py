"""The modem's figures: what it loses, misses and costs on simulated channels, with the bars that it is held to.

``share`` is that of the trials that make evidence; less is a look.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gr_jscc.benchmarks import interference
from gr_jscc.benchmarks import modem as measure
from gr_jscc.benchmarks.modem import USUAL
from gr_jscc.benchmarks.moving import moving_fading
from gr_jscc.benchmarks.neighbour import neighbour_ratio
from gr_jscc.benchmarks.residues import SNRS_DB, residue_of
from gr_jscc.channel.front_end import IqImbalance
from gr_jscc.channel.oscillator import PhaseNoise
from gr_jscc.channel.sample_clock import SampleOffset
from gr_jscc.figures import Figure
from gr_jscc.link.bursts import LinkSettings
from gr_jscc.modem import NUMEROLOGIES, StreamDemodulator


def losses(share: float, seed: int, settings: LinkSettings = USUAL) -> Iterator[Figure]:
    """Implementation loss and calibration on flat, fading and impaired channels."""
    bursts = max(10, round(400 * share))
    for snr_db, most in ((0, 0.8), (5, 0.3), (10, 0.2), (15, None), (20, 0.2)):
        rng = np.random.default_rng([seed, snr_db])
        got = measure.link_quality(measure.trials(bursts, snr_db, rng, settings=settings), snr_db)
        at = {"channel": "awgn", "snr_db": snr_db, "bursts": bursts}
        yield Figure("implementation_loss_db", got.loss_db, "dB", at, most=most)
        yield Figure("noise_var_ratio", got.noise_var_ratio, "1", at, least=0.9, most=1.1)
        yield Figure("snr_bias_db", got.snr_bias_db, "dB", at, least=-0.5, most=0.5)
    for snr_db, most in ((0, None), (5, None), (10, 0.5), (20, None)):
        rng = np.random.default_rng([seed, 100 + snr_db])
        fading = measure.exponential_fading(settings.numerology)
        got = measure.link_quality(measure.trials(bursts, snr_db, rng, fading, settings=settings), snr_db)
        at = {"channel": "block fading, exponential", "snr_db": snr_db, "bursts": bursts}
        yield Figure("implementation_loss_db", got.mmse_loss_db, "dB", {**at, "measure": "mmse"}, most=most)
        yield Figure("implementation_loss_db", got.loss_db, "dB", {**at, "measure": "zero-forcing"})
        yield Figure("noise_var_ratio", got.noise_var_ratio, "1", at, least=0.9, most=1.1)
        yield Figure("missed_bursts", got.missed, "bursts", at)
    impairments = {
        "SFO 20 ppm": lambda index: SampleOffset(20.0),
        "SFO -20 ppm": lambda index: SampleOffset(-20.0),
        "phase noise 0.4 degrees": lambda index: PhaseNoise(0.4, seed=[seed, index]),
        "IQ imbalance 1 dB, 5 degrees": lambda index: IqImbalance(1.0, 5.0),
    }
    for name, make in impairments.items():
        rng = np.random.default_rng([seed, 200])
        counter = iter(range(10**6))
        results = measure.trials(
            bursts,
            15,
            rng,
            impair=lambda samples, _, make=make, counter=counter: make(next(counter)).process(samples),
            settings=settings,
        )
        got = measure.link_quality(results, 15)
        at = {"channel": name, "snr_db": 15, "bursts": bursts}
        yield Figure("implementation_loss_db", got.loss_db, "dB", at, most=1.0)
        yield Figure("noise_var_ratio", got.noise_var_ratio, "1", at)


def residues(share: float, seed: int, settings: LinkSettings = USUAL) -> Iterator[Figure]:
    """What the receiver's estimates leave of channel and phase, which training through the link reckons with."""
    bursts = max(10, round(200 * share))
    fading = measure.exponential_fading(settings.numerology)
    for channel, model in {"awgn": measure.flat, "block fading, exponential": fading}.items():
        got = residue_of(model, bursts, np.random.default_rng([seed, 1000]), settings)
        at = {"channel": channel, "bursts": bursts * len(SNRS_DB)}
        yield Figure("gain_residue", got.gain, "1", at)
        yield Figure("phase_residue", got.phase, "1", at)
        yield Figure("noise_var_spread", got.spread, "1", at)


def moving(share: float, seed: int, settings: LinkSettings = USUAL) -> Iterator[Figure]:
    """Channels that move while a burst lasts, against a receiver that knows them at every symbol."""
    bursts, snr_db = max(10, round(200 * share)), 20
    for delay_spread in (0.0, 2.0):
        still = 0.0
        for doppler_hz in (0, 2, 5, 10, 20, 50, 100):
            rng = np.random.default_rng([seed, 1000])
            channel = moving_fading(doppler_hz, delay_spread, seed, settings.numerology)
            got = measure.link_quality(measure.trials(bursts, snr_db, rng, channel, settings=settings), snr_db)
            still = got.mmse_loss_db if doppler_hz == 0 else still
            at = {"channel": "moving fading", "doppler_hz": doppler_hz, "delay_spread": delay_spread}
            at |= {"snr_db": snr_db, "bursts": bursts}
            yield Figure("sdr_db", got.sdr_db, "dB", at)
            yield Figure("implementation_loss_db", got.mmse_loss_db, "dB", {**at, "measure": "mmse"}, most=0.7)
            yield Figure("noise_var_ratio", got.noise_var_ratio, "1", at, least=0.9, most=1.1)
            if doppler_hz:
                most = 0.5 if doppler_hz <= 20 else 1.5
                yield Figure("motion_cost_db", got.mmse_loss_db - still, "dB", at, most=most)
            yield Figure("missed_bursts", got.missed, "bursts", at)


def spoilt(share: float, seed: int, settings: LinkSettings = USUAL) -> Iterator[Figure]:
    """Narrowband interferers and samples that are missing: whether the receiver knows what they spoil."""
    bursts = max(10, round(200 * share))
    fading = measure.exponential_fading(settings.numerology)
    for channel, model in {"awgn": measure.flat, "block fading, exponential": fading}.items():
        for name, width in (("tone", 0), ("noise 3 carriers wide", 3)):
            for over_db in (10, 20):
                rng = np.random.default_rng([seed, 800, width, over_db])
                got = interference.interfered_quality(bursts, 10, over_db, width, rng, model, settings)
                at = {"channel": channel, "snr_db": 10, "interferer": name, "over_noise_db": over_db, "bursts": bursts}
                yield Figure("noise_var_ratio", got.hit_ratio, "1", {**at, "carriers": "hit"}, least=0.7, most=1.4)
                yield Figure("noise_var_ratio", got.clear_ratio, "1", {**at, "carriers": "others"}, least=0.9, most=1.1)
                yield Figure("implementation_loss_db", got.mmse_loss_db, "dB", {**at, "measure": "mmse"}, most=0.5)
                yield Figure("missed_bursts", got.missed, "bursts", at)
        for snr_db in (5, 20):
            for dropped in (0, 500):
                rng = np.random.default_rng([seed, 900, snr_db, dropped])
                got = interference.cut_quality(bursts, snr_db, dropped, rng, model, settings)
                at = {"channel": channel, "snr_db": snr_db, "samples_dropped": dropped, "bursts": bursts}
                yield Figure("noise_var_ratio", got.noise_var_ratio, "1", at, least=0.9, most=1.1)
                yield Figure("mmse_ratio", got.mmse_ratio, "1", at, least=0.9, most=1.1)
                most = 0.005 if dropped else 0.0
                yield Figure("erased_symbols", got.erased_before, "1", {**at, "symbols": "sound"}, most=most)
                if dropped:
                    yield Figure("erased_symbols", got.erased_after, "1", {**at, "symbols": "after"}, least=0.95)


def reliability(share: float, seed: int, settings: LinkSettings = USUAL) -> Iterator[Figure]:
    """Bursts missed, bursts imagined, headers wrong."""
    bursts = round(10_000 * share)
    for snr_db, most in ((0, 0.0001), (5, 0.0)):
        rng = np.random.default_rng([seed, 300 + snr_db])
        missed = measure.missed_bursts(bursts, snr_db, 2.0, rng, settings)
        at = {"channel": "awgn", "snr_db": snr_db, "cfo": 2.0, "bursts": bursts, "gap": 0}
        yield Figure("missed_bursts", missed, "bursts", at, most=most * bursts)
    samples = round(1e8 * share)
    for kind in measure.FOREIGN:
        found = measure.false_bursts(kind, samples, np.random.default_rng([seed, 400]), settings.numerology)
        yield Figure("false_bursts", found, "bursts", {"channel": kind, "samples": samples}, most=0)
    headers = round(100_000 * share)
    rate = measure.header_error_rate(headers, 0, np.random.default_rng([seed, 500]))
    yield Figure("header_error_rate", rate, "1", {"snr_db": 0, "headers": headers}, most=0.001)
    headers = round(200_000 * share)  # noise keeps the decoder busy: a quarter of a millisecond each
    wrong = measure.wrong_headers(headers, np.random.default_rng([seed, 600]))
    yield Figure("wrong_headers", wrong, "headers", {"headers": headers}, most=0)


def speed(share: float, seed: int, settings: LinkSettings = USUAL) -> Iterator[Figure]:
    """Throughput of the numpy functions, and whether cost and memory grow with the stream."""
    rng = np.random.default_rng([seed, 700])
    receive, send = measure.demodulator_msps(rng, settings=settings)
    yield Figure("demodulator_msps", receive, "Msps", {"cores": 1}, least=10.0)
    yield Figure("modulator_msps", send, "Msps", {"cores": 1})
    lengths = [round(n * share) for n in (2e6, 2e7, 1e8)]
    for samples, nanoseconds, grown in measure.cost_over_length([100_000, *lengths], rng, settings):
        yield Figure("sample_ns", nanoseconds, "ns", {"samples": samples})
        yield Figure("memory_growth_mb", grown, "MB", {"samples": samples}, most=50)


def neighbours(seed: int) -> Iterator[Figure]:
    """CPU time of the demodulator beside busy programs, at every FFT size."""
    for layout in NUMEROLOGIES.values():
        settings = LinkSettings(numerology=layout)
        stream = measure.long_stream(np.random.default_rng([seed, 750]), settings)[:2_000_000]
        ratio, quiet = neighbour_ratio(stream, StreamDemodulator(layout))
        at = {"numerology": layout.description}
        yield Figure("demodulator_cpu_ns", quiet, "ns", at)
        yield Figure("busy_neighbour_ratio", ratio, "1", at, most=1.5)


def flowgraphs(share: float, settings: LinkSettings = USUAL) -> Iterator[Figure]:
    """The loopback flowgraph beside GNU Radio's OFDM chain, in turn: with the usual delay, and as for a fast radio."""
    from gr_jscc.benchmarks.flowgraph import SNR_DB, jscc_msps, stock_msps, stock_payload_power
    from gr_jscc.scheduler.pacing import DEVICE_STEP_SAMPLES

    seconds, step = max(2.0, 8.0 * share), DEVICE_STEP_SAMPLES
    rates, sent, decoded = [], 0, 0
    for _ in range(3):
        usual, fast = jscc_msps(seconds, settings)[0], jscc_msps(seconds, settings, step, 2 * step)[0]
        stock, more_sent, more_decoded = stock_msps(seconds)
        rates.append((usual, fast, stock))
        sent, decoded = sent + more_sent, decoded + more_decoded
    usual, fast, stock = np.array(rates).T
    header_db = round(SNR_DB - 10 * np.log10(stock_payload_power()), 1)
    at = {
        "chain": "ofdm_tx, ofdm_rx", "snr_db": SNR_DB, "header_snr_db": header_db,
        "packets_decoded": round(decoded / max(sent, 1), 3),
    }  # fmt: skip
    for found, together, least in ((usual, {}, None), (fast, {"step": step}, 3.5)):
        jscc = {"chain": "jscc", "snr_db": SNR_DB} | together
        yield Figure("flowgraph_msps", float(np.median(found)), "Msps", jscc)
        ratio = float(np.median(found / stock))
        yield Figure("flowgraph_speedup", ratio, "1", {"runs": 3} | together, least=least)
    yield Figure("flowgraph_msps", float(np.median(stock)), "Msps", at)


def pictures(photos: list[Path], settings: LinkSettings = USUAL) -> Iterator[Figure]:
    """PSNR through the flowgraph against the ideal channel, whole and with bursts lost."""
    from gr_jscc.codecs.registry import load_codec
    from gr_jscc.flowgraphs.ideal import ideal_results
    from gr_jscc.flowgraphs.loopback import Air, flowgraph_results
    from gr_jscc.link.loading import Encoding
    from gr_jscc.reports.averages import average

    codec, cbr, snr_db = load_codec("deepjscc"), 1 / 12, 10.0
    ideal = average([r.report for r in ideal_results(codec, photos, cbr, "awgn", snr_db, 1, settings)])["psnr_db"]
    for loss, most in ((0.0, 0.3), (0.1, None), (0.3, None), (0.5, None)):
        air = Air(snr_db=snr_db, cfo=0.1, loss=loss)
        got = average([r.report for r in flowgraph_results(photos, Encoding(codec.name, cbr), air, settings=settings)])
        at = {"codec": codec.name, "snr_db": snr_db, "cbr": "1/12", "images": len(photos), "bursts_lost": loss}
        below = ideal - got.get("psnr_db", np.nan)
        yield Figure("psnr_below_ideal_db", below, "dB", at, most=most)
        yield Figure("images_lost", got["images_lost"], "images", at, most=0)


def peaks(photos: list[Path], seed: int, settings: LinkSettings = USUAL) -> Iterator[Figure]:
    """Peak power before and after its control, and the PSNR that control costs."""
    from gr_jscc.benchmarks.papr import papr_tradeoff
    from gr_jscc.codecs.registry import load_codec
    from gr_jscc.imaging import load_image

    codec = load_codec("deepjscc")
    for row in papr_tradeoff(codec, [load_image(photo) for photo in photos], 1 / 12, (10.0, 20.0), seed, settings):
        at = {"limit_db": row.limit_db, "codec": codec.name, "cbr": "1/12", "images": len(photos)}
        yield Figure("papr_db", row.papr_db, "dB", at)
        for snr_db, cost in row.cost_db.items():
            yield Figure("papr_cost_db", cost, "dB", {**at, "snr_db": snr_db})
