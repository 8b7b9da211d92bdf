"""One end in a process of its own, to be killed: ``receiver ADDRESS`` or ``transmitter ADDRESS FIRST_NUMBER``.

Prints the address, then the number of every message that arrives. A receiver returns them, and sleeps over number 9999.
"""

import itertools
import sys
import threading
import time

from gr_jscc.link.back_channel import BackChannel, Hello, Stop


def main(role, address, first="0"):
    told = threading.Event()  # the address comes first, and two threads that print at once mix their lines

    def on_message(message):
        told.wait()
        print(message.transfer, flush=True)
        if role == "receiver":
            if message.transfer == 9999:
                time.sleep(2.5)
            channel.send(message)

    channel = BackChannel(address, Hello(role, "deepjscc", "photo", b"abcd"), on_message)
    channel.start()
    print(channel.address, flush=True)
    told.set()
    for number in itertools.count(int(first)):
        time.sleep(0.005)
        if role == "transmitter":
            channel.send(Stop(number))


main(*sys.argv[1:])
