"""Drives virtual radios through SoapySDR's Python API, in a process of its own.

Each line of standard input is a job as JSON, {"do": function, …its arguments}; its answer is printed as JSON.
A device is {"args": device arguments, "rate": …, "frequency": …, "gains": {…}, "format": …, "buffers": …}.
"""

import json
import sys
import time

import numpy as np
import SoapySDR
from SoapySDR import SOAPY_SDR_END_BURST, SOAPY_SDR_HAS_TIME, SOAPY_SDR_RX, SOAPY_SDR_TX

SoapySDR.setLogLevel(SoapySDR.SOAPY_SDR_ERROR)
FORMATS = {"CF32": (np.complex64, 1), "CS16": (np.int16, 2), "CS8": (np.int8, 2)}


class Stream:
    """A device and its stream in one direction, active."""

    def __init__(self, direction, spec, device=None):
        self.device = device or SoapySDR.Device(f"driver=jscc,{spec.get('args', '')}")
        self.device.setSampleRate(direction, 0, spec.get("rate", 1e6))
        self.device.setFrequency(direction, 0, spec.get("frequency", 2.45e9), spec.get("tuning", {}))
        for stage, gain in spec.get("gains", {}).items():
            self.device.setGain(direction, 0, stage, gain)
        self.dtype, self.per_sample = FORMATS[spec.get("format", "CF32")]
        buffers = {"buffers": str(spec["buffers"])} if "buffers" in spec else {}
        self.stream = self.device.setupStream(direction, spec.get("format", "CF32"), [0], buffers)
        self.mtu = self.device.getStreamMTU(self.stream)
        self.events = []
        assert self.device.activateStream(self.stream) == 0

    def read(self, count, timeout_us=1000):
        buffer = np.zeros(self.per_sample * count, self.dtype)
        answer = self.device.readStream(self.stream, [buffer], count, timeoutUs=timeout_us)
        return answer, buffer[: self.per_sample * max(answer.ret, 0)]

    def write(self, samples, flags=0, time_ns=0, timeout_us=0):
        count = len(samples) // self.per_sample
        return self.device.writeStream(self.stream, [samples], count, flags, time_ns, timeout_us).ret

    def status(self, timeout_us=0):
        """The next event as [code, flags, time], or None."""
        answer = self.device.readStreamStatus(self.stream, timeoutUs=timeout_us)
        return None if answer.ret == SoapySDR.SOAPY_SDR_TIMEOUT else [answer.ret, answer.flags, answer.timeNs]

    def close(self):
        self.device.deactivateStream(self.stream)
        self.device.closeStream(self.stream)


def exchange(tx, rx, waveform, capture, count, at_ns=None, end=True, seconds=20.0):
    """Sends the samples of a file in one burst and receives `count` samples into another, in lockstep."""
    sink = Stream(SOAPY_SDR_TX, tx)
    source = Stream(SOAPY_SDR_RX, rx, sink.device if tx["args"] == rx["args"] else None)
    sent, events, lost, pieces, times = 0, [], [], [], []
    samples = np.load(waveform)
    total, got, due = len(samples) // sink.per_sample, 0, time.monotonic() + seconds
    began = time.monotonic()
    while got < count:
        assert time.monotonic() < due, f"only {got} of {count} samples after {sent} of {total} were sent"
        if sent < total:
            part = samples[sink.per_sample * sent : sink.per_sample * (sent + sink.mtu)]
            flags = SOAPY_SDR_END_BURST if end and sent + sink.mtu >= total else 0
            flags |= SOAPY_SDR_HAS_TIME if at_ns is not None and sent == 0 else 0
            sent += max(0, sink.write(part, flags, at_ns or 0))
        answer, received = source.read(count - got)
        if answer.ret > 0:
            times.append([got, answer.flags, answer.timeNs])
            got += answer.ret
            pieces.append(received)
        elif answer.ret != SoapySDR.SOAPY_SDR_TIMEOUT:
            lost.append([got, answer.ret, answer.timeNs])
    seconds = time.monotonic() - began
    while (event := sink.status()) is not None:
        events.append(event)
    np.save(capture, np.concatenate(pieces))
    sink.close()
    source.close()
    return {
        "times": times[:2],
        "lost": lost,
        "events": events,
        "longest": max(b[0] - a[0] for a, b in zip(times, times[1:])) if len(times) > 1 else got,
        "seconds": seconds,
    }


def send(tx, waveform, forever=False, pieces=1):
    """Sends the samples of a file, then ends; or again and again. Prints its device's number and "sending"."""
    sink, samples = Stream(SOAPY_SDR_TX, tx), np.load(waveform)
    print(sink.device.readSetting("id"), "sending", flush=True)
    at = 0
    while forever or at < len(samples):
        part = samples[at % len(samples) :][: sink.mtu]
        last = not forever and at + len(part) >= len(samples)
        at += max(0, sink.write(part, SOAPY_SDR_END_BURST if last else 0, timeout_us=100_000))
    sink.close()
    return {"sent": at}


def receive(rx, capture, count, skip=0):
    """Receives samples, the first ones thrown away. Prints "receiving"."""
    source, pieces, got, lost = Stream(SOAPY_SDR_RX, rx), [], 0, 0
    print("receiving", flush=True)
    while got < skip + count:
        answer, received = source.read(source.mtu, 100_000)
        lost += answer.ret == SoapySDR.SOAPY_SDR_OVERFLOW
        got += max(0, answer.ret)
        pieces.append(received)
    np.save(capture, np.concatenate(pieces)[skip : skip + count])
    source.close()
    return {"lost": lost}


def half_duplex(args):
    """Which stream of one device works when: the codes of a read and a write after each activation."""
    device = SoapySDR.Device(f"driver=jscc,{args}")
    sink = Stream(SOAPY_SDR_TX, {}, device)
    zeros = np.zeros(sink.mtu, np.complex64)
    answers = [sink.write(zeros)]
    source = Stream(SOAPY_SDR_RX, {}, device)
    answers += [sink.write(zeros, timeout_us=1000), source.read(1000, 1_000_000)[0].ret]
    device.activateStream(sink.stream)
    answers += [sink.write(zeros), source.read(1000, 1000)[0].ret]
    return {"full_duplex": device.getFullDuplex(SOAPY_SDR_RX, 0), "answers": answers}


def stall(args, seconds):
    """Receives, does not read for a while, and receives again: the codes and by how much the time went on."""
    source = Stream(SOAPY_SDR_RX, {"args": args})
    before = source.read(1000, 1_000_000)[0]
    time.sleep(seconds)
    lost = source.read(1000, 1_000_000)[0]
    after = source.read(1000, 1_000_000)[0]
    return {"codes": [before.ret, lost.ret, after.ret], "times": [before.timeNs, lost.timeNs, after.timeNs]}


def starve(args):
    """Sends too little, then goes on: the events that come."""
    sink = Stream(SOAPY_SDR_TX, {"args": args})
    zeros = np.zeros(sink.mtu, np.complex64)
    sink.write(zeros)
    events = [sink.status(2_000_000)]
    sink.write(zeros, SOAPY_SDR_END_BURST)
    events.append(sink.status(2_000_000))
    events.append(sink.status(100_000))
    return {"events": events}


def too_late(args):
    """Wants to send in the past, then in the future; the events that come."""
    sink = Stream(SOAPY_SDR_TX, {"args": args})
    zeros, now = np.zeros(1000, np.complex64), sink.device.getHardwareTime()
    sink.write(zeros, SOAPY_SDR_HAS_TIME | SOAPY_SDR_END_BURST, now - 1_000_000)
    at = now + 100_000_000
    wrote = sink.write(zeros, SOAPY_SDR_HAS_TIME | SOAPY_SDR_END_BURST, at, timeout_us=1_000_000)
    return {"events": [sink.status(1_000_000), sink.status(1_000_000)], "wrote": wrote, "at": at}


def timed_read(args, clock_ns, after_ns):
    """Sets the hardware time and receives from a later time on, after having tried an earlier one."""
    device = SoapySDR.Device(f"driver=jscc,{args}")
    device.setSampleRate(SOAPY_SDR_RX, 0, 1e6)
    stream = device.setupStream(SOAPY_SDR_RX, "CF32")
    device.setHardwareTime(clock_ns)
    late = device.activateStream(stream, SOAPY_SDR_HAS_TIME, clock_ns - 1_000_000)
    assert device.activateStream(stream, SOAPY_SDR_HAS_TIME, clock_ns + after_ns) == 0
    answer = device.readStream(stream, [np.zeros(1000, np.complex64)], 1000, timeoutUs=5_000_000)
    device.closeStream(stream)
    return {"late": late, "read": answer.ret, "time": answer.timeNs}


def unplugged(args, wait):
    """Uses a device until it is gone, opens it again when it is back: what each step answered."""
    full = f"driver=jscc,{args}"
    source = Stream(SOAPY_SDR_RX, {"args": args})
    sink = Stream(SOAPY_SDR_TX, {"args": args}, source.device)
    read = 1
    while read > 0:
        read = source.read(1000, 1_000_000)[0].ret
        wrote = sink.write(np.zeros(10, np.complex64))
    wrote = sink.write(np.zeros(10, np.complex64))
    answer = {"read": read, "write": wrote, "status": sink.status()[0]}
    source.close()
    sink.close()
    SoapySDR.Device.unmake(source.device)
    answer["found"] = len(SoapySDR.Device.enumerate(full))
    try:
        SoapySDR.Device(full)
    except RuntimeError as error:
        answer["error"] = str(error)
    time.sleep(wait)
    answer["found_later"] = len(SoapySDR.Device.enumerate(full))
    source = Stream(SOAPY_SDR_RX, {"args": args})
    time.sleep(wait)
    answer["read_later"] = source.read(1000, 1_000_000)[0].ret
    return answer


def errors(attempts):
    """What opening devices with these arguments says, and tuning one to what it cannot."""
    lines = []
    for args in attempts:
        try:
            SoapySDR.Device(f"driver=jscc,{args}")
            lines.append("")
        except RuntimeError as error:
            lines.append(str(error))
    return {"lines": lines}


def limits(args):
    """What a device says of itself."""
    device = SoapySDR.Device(f"driver=jscc,{args}")
    answer = {"mtu": [], "serial": device.getHardwareInfo()["serial"], "time": device.hasHardwareTime()}
    for direction, name in ((SOAPY_SDR_TX, "tx"), (SOAPY_SDR_RX, "rx")):
        gains = {stage: device.getGainRange(direction, 0, stage) for stage in device.listGains(direction, 0)}
        answer[name] = {
            "gains": {stage: [span.minimum(), span.maximum(), span.step()] for stage, span in gains.items()},
            "antennas": list(device.listAntennas(direction, 0)),
            "frequencies": list(device.listFrequencies(direction, 0)),
        }
        rates = device.getSampleRateRange(direction, 0)
        answer[name]["rates"] = [min(r.minimum() for r in rates), max(r.maximum() for r in rates)]
        stream = device.setupStream(direction, "CF32")
        answer["mtu"].append(device.getStreamMTU(stream))
        device.closeStream(stream)
    try:
        device.setSampleRate(SOAPY_SDR_TX, 0, 61e6)
    except RuntimeError as error:
        answer["error"] = str(error)
    return answer


def hold(args):
    """Opens a device and keeps it until the process is killed."""
    device = SoapySDR.Device(f"driver=jscc,{args}")
    sink = Stream(SOAPY_SDR_TX, {}, device)
    sink.write(np.full(1000, 0.5, np.complex64))
    print("holding", flush=True)
    time.sleep(60)
    return {}


for line in sys.stdin:
    job = json.loads(line)
    print(json.dumps(globals()[job.pop("do")](**job)), flush=True)
