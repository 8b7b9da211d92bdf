"""Pictures that wait to be sent: told apart where somebody says what arrived, and without memory where nobody does."""

import numpy as np

from gr_jscc.link.picture_queue import PictureQueue
from gr_jscc.link.sending import SendingEnd

GREY = np.full((16, 16, 3), 90, np.uint8)


def keys(queue, count):
    for _ in range(count):
        queue.add("frame", GREY, cbr=1 / 6)
    return {queue.next().key for _ in range(count)}


def test_equal_pictures_have_keys_of_their_own_where_a_receiver_names_them():
    assert len(keys(PictureQueue(), 3)) == 3


def test_a_stream_takes_no_memory_for_what_was_sent(codec):
    sending = SendingEnd(codec, 1 / 12, defer=print, on_event=print)
    assert len(keys(sending._queue, 3)) == 1 and not sending._queue._occurrences
