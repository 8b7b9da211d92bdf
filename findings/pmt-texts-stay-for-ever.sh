#!/usr/bin/env bash
# GNU Radio: every different text that was ever put into a message stays in memory until the process ends.
#
# Seen with: GNU Radio 3.10.5.1 (Debian 12), Python 3.11.
# Expected: a message that nobody holds any more is freed, with what is in it, as its vectors and numbers are.
# Seen: `pmt.to_pmt("text")` and `pmt.intern("text")` enter the text into a table of symbols from which nothing is ever
#   removed. Vectors of the same bytes are freed. 2000 messages with different texts of 50 kB leave 100 MB behind.
# From: Scheme's symbols, which pmt follows: interned so that comparing them is comparing pointers (pmt.cc, a static
#   hash table of symbols). The documentation calls them symbols, but a string is what `to_pmt` makes one of.
# Matters: PDUs carry names of files, JSON, lines of logs, addresses. A flowgraph that runs for weeks grows with each, and
#   where the text comes from a peer it can fill the memory of the receiver. Texts of others go into u8vectors.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get -qq download gnuradio=3.10.5.1-3 libgnuradio-pmt3.10.5=3.10.5.1-3 2> /dev/null
for package in *.deb; do dpkg -x "$package" root; done
cat > try.py <<'P'
import gc
import sys

import pmt

COUNT, SIZE = 2000, 50_000


def megabytes():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6


def growth(make):
    """Of the process, while COUNT messages are made one after the other and none is kept."""
    make(-1)
    before = megabytes()
    for number in range(COUNT):
        make(number)
    return megabytes() - before


def text(number):
    return f"{number:08d}".ljust(SIZE, "x")


def vector(number):
    data = text(number).encode()
    serialized = b"\x0a\x00" + len(data).to_bytes(4, "big") + b"\x01\x00" + data
    return pmt.cons(pmt.make_dict(), pmt.deserialize_str(serialized))


grown = {
    "the same text": growth(lambda number: pmt.to_pmt({"name": text(7)})),
    "different texts": growth(lambda number: pmt.to_pmt({"name": text(number)})),
    "different bytes": growth(vector),
}
print("Python", sys.version.split()[0], pmt.__file__.split("/root/")[-1])
for what, value in grown.items():
    print(f"{COUNT} messages with {what} of {SIZE} bytes: {value:.1f} MB more")
assert grown["different texts"] > 90, "texts are freed now"
assert grown["the same text"] < 5 and grown["different bytes"] < 5
print("as described: different texts stay")
P
PYTHONPATH=root/usr/lib/python3/dist-packages LD_LIBRARY_PATH=root/usr/lib/x86_64-linux-gnu /usr/bin/python3 try.py
