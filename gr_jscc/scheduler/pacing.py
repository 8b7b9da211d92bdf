"""How much the demodulator takes at once, and how much silence therefore follows the last burst."""

from gr_jscc.modem import DEFAULT_NUMEROLOGY, Numerology
from gr_jscc.modem.demodulator import check_findable

STEP_SAMPLES = 65_536  # the demodulator works on so many together: fewer mean less delay, more mean more speed
DEVICE_STEP_SAMPLES = 262_144  # the same of a fast radio, which is never silent: a quarter less work for a sample
BUFFER_ITEMS = STEP_SAMPLES  # of output buffers: few long calls of Python instead of many short ones
MADE_TOGETHER = BUFFER_ITEMS // 2  # samples that the modulator puts out at once, unless told otherwise
LATENCY = 0.05  # seconds that samples wait for others at most, unless told otherwise
SILENCE_SAMPLES = STEP_SAMPLES * 3 // 2  # pushes the last burst through it and through whatever filters precede it
# Of a stream of frames, each of which is to be seen before the next comes: a frame of 320x240 takes less air than the
# silence above, and would leave the air no room for ten a second.
FRAME_STEP_SAMPLES = 16_384
FRAME_SILENCE_SAMPLES = FRAME_STEP_SAMPLES * 5 // 2  # also through a channel that looks for bursts with an FFT of 1024


def samples_together(
    seconds: float, sample_rate: float, numerology: Numerology = DEFAULT_NUMEROLOGY, most: int = STEP_SAMPLES
) -> int:
    """How many samples to work on together so that none waits longer than some seconds for others.

    Not fewer than bursts can be found in.

    Args:
        seconds: that a sample may wait.
        sample_rate: samples per second.
        numerology: of the bursts.
        most: samples, for instance after which transmitters stop being silent.

    Raises:
        UserError: bursts of such a numerology cannot be found even in `STEP_SAMPLES`.

    Example:
        >>> samples_together(0.02, 1e6), samples_together(0.02, 20e6), samples_together(0, 1e6)
        (20000, 65536, 960)
        >>> samples_together(0.01, 20e6, most=DEVICE_STEP_SAMPLES)
        200000
    """
    return max(round(min(seconds * sample_rate, most)), check_findable(numerology, STEP_SAMPLES))


def forget_buffer_sizes(block) -> None:
    """Has a stopped block's output buffers be as large as was asked for when its flowgraph is started again.

    GNU Radio 3.10.5 takes the sizes that it gave a block for upper limits, and where there is a limit it does not look
    at what was asked for: each run but the first would have buffers of 8192 samples.
    """
    block.set_max_output_buffer(-1)
