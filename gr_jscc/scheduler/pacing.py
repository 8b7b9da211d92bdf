"""How much the demodulator takes at once, and how much silence therefore follows the last burst."""

STEP_SAMPLES = 65_536  # the demodulator works on so many together: fewer mean less delay, more mean more speed
BUFFER_ITEMS = STEP_SAMPLES  # of output buffers: few long calls of Python instead of many short ones
SILENCE_SAMPLES = STEP_SAMPLES * 3 // 2  # pushes the last burst through it and through whatever filters precede it
