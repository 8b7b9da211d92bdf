#!/usr/bin/env bash
# viterbi (PyPI): making a codec turns the polynomials in the caller's list around, so that the second one made of it is
# another code, which the first does not understand.
#
# Seen with: viterbi 0.0.6, Python 3.11.
# One would expect: Viterbi(7, polynomials) twice with the same list to be the same code, as a sender and a receiver have it
#   who share a constant.
# What happens: the second one has the bits of both polynomials reversed. Of its words the first decodes half the bits
#   wrong, with no channel between them; the third understands the first again. With (7, 5) octal, the example of all
#   textbooks, nothing is seen, as it reads the same from both ends; nor with a list written out at each place.
# Where it comes from: viterbi.py. The constructor reverses each polynomial for the C++ class and stores the result in the
#   list that it was given. It does so without a copy, and refuses tuples for that reason ("does not support item
#   assignment").
# Why it matters: rate 1/2 with 133 and 171 octal is the code of Wi-Fi, DVB and of headers of many links, and a module
#   constant is how one writes it. A sender and a receiver in one process then fail always, or only in every second run of
#   a sweep; the constant is wrong afterwards for whoever else reads it. Remedy: list(POLYNOMIALS) at each call.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile "viterbi==0.0.6"
"$work/venv/bin/python" - <<'PY'
import importlib.metadata
import random
import sys

from viterbi import Viterbi

print("viterbi", importlib.metadata.version("viterbi"))
random.seed(1)
bits = [random.randrange(2) for _ in range(1000)]
as_seen = True
for constraint, polynomials, is_mirrored in ((3, [0o7, 0o5], True), (7, [0o133, 0o171], False)):
    before = [f"{polynomial:o}" for polynomial in polynomials]
    first = Viterbi(constraint, polynomials)
    after = [f"{polynomial:o}" for polynomial in polynomials]
    second, third = Viterbi(constraint, polynomials), Viterbi(constraint, polynomials)
    wrong = [
        sum(a != b for a, b in zip(first.decode(other.encode(bits)), bits)) / 10 for other in (first, second, third)
    ]
    print(f"{before} octal, afterwards {after}: the first codec decodes words of the first, second and third with "
          f"{wrong[0]:.0f}, {wrong[1]:.0f} and {wrong[2]:.0f} % of the bits wrong")  # fmt: skip
    as_seen = as_seen and wrong[0] == wrong[2] == 0 and (before == after) == is_mirrored
    as_seen = as_seen and (wrong[1] == 0 if is_mirrored else wrong[1] > 20)
print("as described" if as_seen else "the behaviour has changed")
sys.exit(not as_seen)
PY
