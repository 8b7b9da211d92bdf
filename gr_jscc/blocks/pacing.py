"""How much the demodulator takes at once, and how much silence therefore follows the last burst."""

STEP_SYMBOLS = 128  # OFDM symbols the demodulator works on together; less delay if fewer, faster if more
SILENCE_SYMBOLS = STEP_SYMBOLS + 64  # pushes the last burst through the demodulator and whatever filters precede it
