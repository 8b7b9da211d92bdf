"""A clock that only moves when a test says so."""


class HandClock:
    """Hand it over where a clock of seconds is wanted.

    Args:
        now: what it shows.
        step: seconds that it goes on whenever it is looked at.
    """

    def __init__(self, now=0.0, step=0.0):
        self.now, self._step = now, step

    def __call__(self):
        self.now += self._step
        return self.now
