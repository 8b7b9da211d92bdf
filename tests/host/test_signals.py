"""Signals end programs, also where a library has lost the exception, and leave handlers as they were."""

import os
import signal

import pytest

from gr_jscc.host import options


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_whose_exception_was_lost_is_told_again(number):
    before = signal.getsignal(number)
    with options.stopped_by_signals() as check:
        check()
        with pytest.raises(KeyboardInterrupt):  # and here it is lost
            os.kill(os.getpid(), number)
            signal.sigtimedwait([], 1)
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(number) == before


def test_who_ignores_ctrl_c_goes_on_to_ignore_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with options.stopped_by_signals() as check:
            os.kill(os.getpid(), signal.SIGINT)
            check()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
