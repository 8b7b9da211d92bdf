"""Sends a recording and leaves without any tidying up, as soon as the radio says that all has left.

Arguments: the radio's address, and the file.
"""

import os
import sys

from gnuradio import gr

from gr_jscc.radio import radio_sink, radio_source

radio, path = sys.argv[1:]
graph, source, sink = gr.top_block(), radio_source(f"file:{path}"), radio_sink(radio)
graph.connect(source, sink)
graph.run()
complete = sink.finish()
print(complete, flush=True)
os._exit(0)
