"""A codec that fails with what arrived costs that picture, and no other."""

import pytest
from simulated_link import SimulatedLink, ToyCodec, picture


class FailingCodec(ToyCodec):
    """Fails with the second picture."""

    def __init__(self, error, rounds=1):
        super().__init__(rounds, symbols=2400)
        self.error, self.receivers = error, 0

    def receiver(self, height, width):
        self.receivers += 1
        receiver = super().receiver(height, width)
        push, number = receiver.push, self.receivers

        def failing(reception):
            if number == 2:
                raise self.error
            return push(reception)

        receiver.push = failing
        return receiver


@pytest.mark.parametrize("error", [MemoryError(), ValueError("odd\nbytes"), RuntimeError("not enough memory")])
def test_one_picture_and_one_line(error):
    codec = FailingCodec(error)
    link = SimulatedLink(codec)
    lines = []
    link.receiving.pictures.tell = lines.append
    for number in range(3):
        link.sending.submit(f"{number}.png", picture(number))
    link.sending.finish()
    link.run(5)
    assert len(codec.pushed) == 2 and codec.receivers == 3
    (line,) = lines
    assert line.startswith("a picture of 400x200 could not be decoded: ") and "\n" not in line
    assert type(error).__name__ in line
