"""The blocks as GNU Radio Companion shows them agree with the blocks as they are."""

import logging
import re
import subprocess
import sys

import pmt
import pytest
import yaml
from companion import BLOCKS, REPOSITORY, new_flowgraph
from gnuradio import blocks, gr

from gr_jscc.codecs.registry import CODECS, load_codec
from gr_jscc.imaging import save_image
from gr_jscc.modem import numerology

pytestmark = pytest.mark.gnuradio

IDS = [path.name.removesuffix(".block.yml") for path in sorted(BLOCKS.glob("*.block.yml"))]
INTERNAL_PORTS = {"system", "wake"}  # every block's own, and the encoder's for its worker


@pytest.mark.parametrize("name", IDS)
def test_every_option_has_its_label(name):
    for parameter in yaml.safe_load((BLOCKS / f"{name}.block.yml").read_text()).get("parameters", []):
        if "option_labels" in parameter:
            assert len(parameter["option_labels"]) == len(parameter["options"]), parameter["id"]


@pytest.fixture
def qt(monkeypatch):
    """A QApplication that needs no display."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    from PyQt5.QtWidgets import QApplication

    return QApplication.instance() or QApplication(["tests"])


@pytest.fixture
def described(platform, request):
    """One of our blocks with its default parameters, in a flowgraph of its own."""
    graph = new_flowgraph(platform)
    block = graph.new_block(request.param)
    block.params["id"].set_value("under_test")
    graph.rewrite()
    graph.validate()
    return block


def make(block):
    """What the block's template makes, as a generated flowgraph would."""

    class TopBlock:
        def __init__(self):
            from PyQt5.QtWidgets import QVBoxLayout, QWidget

            self.graph, self.window = gr.top_block(), QWidget()
            self.top_layout = QVBoxLayout(self.window)

    names = {"self": TopBlock()}
    exec(block.templates.render("imports"), names)
    exec(f"self.{block.name} = {block.templates.render('make').strip()}", names)
    return getattr(names["self"], block.name), names["self"]


def symbols(ports):
    return {pmt.symbol_to_string(pmt.vector_ref(ports, i)) for i in range(pmt.length(ports))}


def test_every_block_of_the_package_is_described():
    modules = {path.stem for path in (REPOSITORY / "gr_jscc" / "blocks").glob("*.py")}
    shown = {id_.removeprefix("jscc_") for id_ in IDS} | {id_ for id_ in IDS}
    assert {name for name in modules if re.match(r"(image|jscc|ofdm|back)_", name)} - {"image_sink"} <= shown


def test_companion_loads_all_without_remarks(platform, caplog):
    with caplog.at_level(logging.WARNING):
        platform.build_library()
    assert [record.getMessage() for record in caplog.records if "jscc" in record.getMessage()] == []
    assert {id_ for id_ in platform.blocks if id_.startswith("jscc_")} == set(IDS)
    assert all(platform.blocks[id_].category[0] == "JSCC" for id_ in IDS)


@pytest.mark.parametrize("described", IDS, indirect=True)
def test_defaults_make_a_block_with_the_ports_shown(described, qt, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    errors = [text for _, text in described.iter_error_messages()]
    assert [text for text in errors if text != "Port is not connected."] == []

    block, top = make(described)

    inputs, outputs = symbols(block.message_ports_in()), symbols(block.message_ports_out())
    shown_in = {port.key for port in described.sinks if port.domain == "message"}
    shown_out = {port.key for port in described.sources if port.domain == "message"}
    if isinstance(block, gr.hier_block2):  # which lists no ports: one that is not there cannot be connected
        for port in shown_in:
            top.graph.msg_connect(blocks.message_strobe(pmt.PMT_T, 1000), "strobe", block, port)
        for port in shown_out:
            top.graph.msg_connect(block, port, blocks.message_debug(), "print")
    else:
        assert shown_in == inputs - INTERNAL_PORTS and shown_out == outputs
    for signature, ports in (
        (block.input_signature(), described.sinks),
        (block.output_signature(), described.sources),
    ):
        sizes = [{"complex": 8, "float": 4}[port.dtype] for port in ports if port.domain == "stream"]
        assert signature.min_streams() == signature.max_streams() == len(sizes)
        assert [signature.sizeof_stream_item(i) for i in range(len(sizes))] == sizes
    for callback in described.templates.render("callbacks") if described.templates.get("callbacks") else []:
        assert callable(getattr(block, callback.split("(")[0]))
    if "gui_hint" in described.params:
        assert top.top_layout.count() == 1


@pytest.mark.parametrize("id_", IDS)
def test_documentation_names_every_parameter_and_port(id_):
    description = yaml.safe_load((BLOCKS / f"{id_}.block.yml").read_text())
    text = description["documentation"]
    for parameter in description["parameters"]:
        assert parameter["label"].split(" (")[0] in text, parameter["label"]
    for port in description.get("inputs", []) + description.get("outputs", []):
        name = port.get("id") or port.get("label")
        assert name is None or name in text, name


@pytest.mark.parametrize("id_", ["jscc_encoder", "jscc_decoder", "jscc_transmitter", "jscc_receiver"])
def test_every_codec_can_be_chosen(id_):
    description = yaml.safe_load((BLOCKS / f"{id_}.block.yml").read_text())
    codec = next(p for p in description["parameters"] if p["id"] == "codec")
    assert sorted(codec["options"]) == sorted(CODECS)


@pytest.mark.parametrize(
    ("id_", "parameter", "value"),
    [
        ("jscc_encoder", "cbr", "0"),
        ("jscc_encoder", "burst_symbols", "0"),
        ("jscc_encoder", "manifest_copies", "65"),
        ("jscc_ofdm_modulator", "fft_size", "60"),
        ("jscc_ofdm_demodulator", "cp_len", "40"),
        ("jscc_ofdm_modulator", "numerology", "/nowhere/mine.toml"),
        ("jscc_back_channel", "numerology", "/nowhere/mine.toml"),
        ("jscc_transmitter", "numerology", "/nowhere/mine.toml"),
        ("jscc_transmitter", "burst_symbols", "0"),
        ("jscc_receiver", "numerology", "/nowhere/mine.toml"),
        ("jscc_image_view_sink", "sample_rate", "0"),
        ("jscc_image_file_sink", "snr_db", "'high'"),
        ("jscc_image_file_sink", "originals", "/nowhere"),
        ("jscc_image_view_sink", "originals", "/etc"),  # no images in it
        ("jscc_encoder", "cbr", "1/5"),
        ("jscc_encoder", "cbr", "1/50"),
        ("jscc_encoder", "codec", "separation-capacity"),
        ("jscc_encoder", "weights", "/nowhere/model.safetensors"),
        ("jscc_encoder", "device", "gpu"),
        ("jscc_encoder", "rounds", "-1"),
        ("jscc_decoder", "codec", "separation-capacity"),
        ("jscc_decoder", "weights", "/nowhere/model.safetensors"),
        ("jscc_decoder", "device", "metal"),
        ("jscc_decoder", "rounds", "-2"),
        ("jscc_decoder", "feedback_format", "int4"),
        ("jscc_image_source", "paths", "/nowhere/photo.png"),
        ("jscc_image_source", "paths", "/etc"),
        ("jscc_channel_impairments", "taps", "'canyon'"),
        ("jscc_channel_impairments", "fading", "slow"),
        ("jscc_back_channel", "address", "127.0.0.1:5550"),
        ("jscc_back_channel", "keys", "/nowhere/keys"),
        ("jscc_radio_source", "profile", "/nowhere/profile.toml"),
        ("jscc_radio_source", "profile", ""),
        ("jscc_radio_sink", "address", "hackrf"),
        ("jscc_radio_sink", "gains", "30"),
        ("jscc_transmitter", "paths", "/etc"),
        ("jscc_transmitter", "cbr", "2"),
        ("jscc_transmitter", "address", "127.0.0.1:5550"),
        ("jscc_receiver", "codec", "separation-capacity"),
        ("jscc_receiver", "address", "tcp://127.0.0.1:5550"),  # of a transmitter in the same flowgraph
    ],
)
def test_a_bad_parameter_is_refused_in_companion(platform, id_, parameter, value):
    errors = refusals(platform, id_, {parameter: value})
    # It could be evaluated, and names what is wrong.
    assert errors and all("failed" in error and parameter in error for error in errors)


def refusals(platform, id_, values):
    """What Companion has against one of our blocks with these parameters, ports aside."""
    graph = new_flowgraph(platform)
    block = graph.new_block(id_)
    block.params["id"].set_value("under_test")
    for parameter, value in values.items():
        block.params[parameter].set_value(value)
    graph.rewrite()
    graph.validate()
    return [text for _, text in block.iter_error_messages() if text != "Port is not connected."]


def built(platform, id_, values):
    """One of our blocks with these parameters, as a generated flowgraph would make it."""
    graph = new_flowgraph(platform)
    block = graph.new_block(id_)
    for parameter, value in {"id": "under_test", **values}.items():
        block.params[parameter].set_value(value)
    graph.rewrite()
    graph.validate()
    return make(block)[0]


@pytest.mark.parametrize("own", [False, True])
def test_companion_takes_a_numerology_by_its_name_or_as_a_file(platform, qt, tmp_path, own):
    path = tmp_path / "mine.toml"
    path.write_text("fft_size = 128\ncp_len = 12\nused = 100\n")
    choice, layout = (str(path), numerology(128, 12, 100)) if own else ("256-cp16", numerology(256, 16))
    for id_ in ("jscc_ofdm_modulator", "jscc_ofdm_demodulator", "jscc_back_channel"):
        assert built(platform, id_, {"numerology": choice}).numerology == layout
    back = {"address": "ipc:///tmp/nobody", "numerology": choice}
    transmitter = built(platform, "jscc_transmitter", {**back, "burst_symbols": "500"})
    assert transmitter.modulator.numerology == transmitter.channel.numerology == layout
    receiver = built(platform, "jscc_receiver", {**back, "remote": "True"})
    assert receiver.demodulator.numerology == receiver.channel.numerology == layout


@pytest.mark.parametrize("name", sorted(set(CODECS) - {"separation-capacity"}))
def test_companion_takes_the_cbrs_that_a_codec_serves_and_no_others(platform, name):
    least, most = load_codec(name).cbr_range
    for cbr, fits in ((least, least > 0), (most, True), (least * 0.99, False), (most * 1.01, False)):
        errors = refusals(platform, "jscc_encoder", {"codec": name, "cbr": repr(cbr)})
        assert (errors == []) == fits, (cbr, errors)
    assert refusals(platform, "jscc_encoder", {"codec": name, "cbr": "0.9", "weights": "my-model"}) == []


def test_companion_takes_a_folder_with_images_and_what_it_cannot_know(platform, tmp_path, small_photo):
    save_image(tmp_path / "a.png", small_photo)
    for paths in ("", "photo.png", str(tmp_path), str(tmp_path / "a.png")):
        assert refusals(platform, "jscc_image_source", {"paths": paths}) == []


def test_headless_blocks_need_no_qt():
    code = "import sys, gr_jscc.blocks; sys.exit(any(name.startswith('PyQt5') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, timeout=60).returncode == 0
