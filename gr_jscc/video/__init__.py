"""Moving pictures: where frames come from, how each crosses the air in its turn, and the films that are made of it.

A frame is uint8[H, W, 3] with the time at which it is to be seen. PyAV reads files, addresses and cameras, and writes
films. Nothing here needs GNU Radio: frames take the modem and the channel models as functions.
"""
