"""Numerologies from files: what they may say, what is wrong with one in a line, and bursts that cross with them."""

import numpy as np
import pytest
from modem_streams import errors, make_stream, receive

from gr_jscc.files.toml import tomllib
from gr_jscc.modem import DEFAULT_NUMEROLOGY, NUMEROLOGIES, Numerology, numerology
from gr_jscc.modem.numerology_file import (
    NumerologyError,
    load_numerology,
    numerology_keys,
    numerology_of_keys,
    numerology_toml,
    parse_numerology,
)

pytestmark = pytest.mark.timeout(60)
EVEN = "fft_size = 128\ncp_len = 12\nused = 100\n"
PILOTS = "fft_size = 64\ncp_len = 8\nused = 40\npilot_carriers = [-18, -6, 6, 18]\n"
HOLE = (
    "fft_size = 64\npilot_carriers = [-20, 20]\n"
    f"data_carriers = {[k for k in range(-24, 25) if k not in (-20, 0, 9, 10, 11, 20)]}\n"
)


BOOSTED = "fft_size = 64\npilot_boost_db = 3\npreamble_boost_db = -3.5\n"


@pytest.mark.parametrize(
    ("text", "sizes"),
    [(EVEN, (128, 12, 92, 8)), (PILOTS, (64, 8, 36, 4)), (HOLE, (64, 16, 43, 2)), (BOOSTED, (64, 16, 48, 4))],
)
def test_bursts_cross_with_a_numerology_of_ones_own(rng, tmp_path, text, sizes):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    layout = load_numerology(path)
    assert (layout.fft_size, layout.cp_len, layout.data_count, layout.pilot_count) == sizes
    assert layout not in NUMEROLOGIES.values() and layout.fingerprint.hex() in layout.description
    stream, sent = make_stream(rng, 4, 20.0, layout, symbols=500)
    received, _ = receive(stream, layout)
    got = errors(received, sent)
    assert len(got) == 4 and all(np.mean(error) < 0.015 for *_, error in got)


@pytest.mark.parametrize("text", [EVEN, PILOTS, HOLE, BOOSTED, EVEN + BOOSTED[14:], "fft_size = 256\n"])
def test_its_keys_make_the_same_again(text):
    layout = parse_numerology(tomllib.loads(text), "text")
    assert parse_numerology(tomllib.loads(numerology_toml(layout)), "again") == layout
    fields = {f"jscc:{key}": value for key, value in numerology_keys(layout).items()} | {"core:version": "1.2.6"}
    assert numerology_of_keys(fields, "jscc:") == layout


def test_a_name_is_one_of_the_table_and_what_is_not_told_the_default():
    assert load_numerology("128-cp8") is NUMEROLOGIES["128-cp8"]
    assert numerology_of_keys({}, "jscc:") == DEFAULT_NUMEROLOGY
    assert parse_numerology({"fft_size": 128.0}, "whole numbers only") == numerology(128)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("cp_len = 8", "fft_size is missing"),
        ("fft_size = 64\npilots = [1]", "unknown key pilots"),
        ('fft_size = "64"', "fft_size: input should be a valid integer, not '64'"),
        ("fft_size = 60", "fft_size must be a power of two from 32 to 8192, not 60"),
        ("fft_size = 1000000000000000000", "fft_size must be a power of two from 32 to 8192, not 1000000000000000000"),
        ("fft_size = 64\ncp_len = 33", "cp_len must be from 2 to fft_size/2 = 32, not 33"),
        ("fft_size = 64\nused = 51", "used must be an even number from 12 to fft_size - 2 = 62, not 51"),
        ("fft_size = 64\npilot_carriers = [-7, 30]", "pilot carrier 30 is not one of the 52 that are used"),
        ("fft_size = 64\npilot_carriers = [3, 7]", "pilots are needed on both sides of DC"),
        ("fft_size = 64\npilot_carriers = [-7.5, 7]", "pilot_carriers.0: input should be a valid integer, not -7.5"),
        ("fft_size = 64\ndata_carriers = [1, 2]", "data_carriers needs pilot_carriers as well"),
        ("fft_size = 64\npilot_boost_db = 20", "pilot_boost_db must be from -10 to 10 dB, not 20.0"),
        (HOLE + "used = 40", "used and data_carriers exclude each other"),
        ("fft_size = 64\npilot_carriers = [-1, 1]\ndata_carriers = [1]", "a carrier is listed twice"),
        ("fft_size = 64\npilot_carriers = [-1, 1]\ndata_carriers = [0]", "carrier 0 (DC) must stay empty"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_with_its_name(tmp_path, text, line):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(NumerologyError) as raised:
        load_numerology(path)
    assert str(raised.value) == f"numerology {path}: {line}"


def test_what_no_receiver_could_find_is_refused():
    with pytest.raises(NumerologyError, match=r"^long: bursts of numerology .* cannot be found: .* 81920 samples"):
        parse_numerology({"fft_size": 8192}, "long")


@pytest.mark.parametrize("text", ["fft_size = ", "\xff"])
def test_files_that_are_no_toml_or_not_there(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(NumerologyError, match=r"not a TOML file: .*mine\.toml"):
        load_numerology(path)
    with pytest.raises(NumerologyError, match=r"numerology not found: 65 \(shipped: 64, 64-cp8, "):
        load_numerology("65")


def test_fingerprints_tell_what_descriptions_may_not():
    one, other = (
        parse_numerology({"fft_size": 64, "pilot_carriers": pilots}, "x") for pilots in ([-20, 20], [-19, 19])
    )
    assert one.fingerprint != other.fingerprint and one.description != other.description
    names = [layout.description.partition(" ")[0] for layout in NUMEROLOGIES.values()]
    assert names == list(NUMEROLOGIES)
    assert len({layout.fingerprint for layout in NUMEROLOGIES.values()}) == len(NUMEROLOGIES)
    longest = Numerology(4096, 1024, tuple(range(1, 1501)), tuple(range(-1200, 0)) + (1501,))
    assert max(len(layout.description) for layout in (longest, *NUMEROLOGIES.values())) <= 80  # of a hello
