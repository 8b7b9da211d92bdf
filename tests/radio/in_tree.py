"""A program of in-tree blocks only, as somebody else may have it at the other end of the virtual air.

record PATTERN ENDPOINT FILE COUNT: ZMQ source → head → file sink.
replay PATTERN ENDPOINT FILE [RATE]: file source → ZMQ sink; with a rate for ever, through a throttle.
count PATTERN ENDPOINT: ZMQ source → null sink; prints how many samples there were, again and again.
"""

import sys
import time

from gnuradio import blocks, gr, zeromq

SINKS = {"zmq": zeromq.push_sink, "zmq-pub": zeromq.pub_sink, "zmq-req": zeromq.rep_sink}
SOURCES = {"zmq": zeromq.pull_source, "zmq-pub": zeromq.sub_source, "zmq-req": zeromq.req_source}
SAMPLE = gr.sizeof_gr_complex


def main(mode, pattern, endpoint, *rest):
    graph = gr.top_block()
    if mode == "record":
        path, count = rest
        parts = [SOURCES[pattern](SAMPLE, 1, endpoint), blocks.head(SAMPLE, int(count)), blocks.file_sink(SAMPLE, path)]
    elif mode == "replay":
        path, *rate = rest
        parts = [blocks.file_source(SAMPLE, path, bool(rate))]
        if rate:
            parts.append(blocks.throttle(SAMPLE, float(rate[0])))
        parts.append(SINKS[pattern](SAMPLE, 1, endpoint))
    else:
        parts = [SOURCES[pattern](SAMPLE, 1, endpoint), blocks.null_sink(SAMPLE)]
    graph.connect(*parts)
    graph.start()
    print("ready", flush=True)
    while mode == "count":
        print(parts[-1].nitems_read(0), flush=True)
        time.sleep(0.05)
    graph.wait()


main(*sys.argv[1:])
