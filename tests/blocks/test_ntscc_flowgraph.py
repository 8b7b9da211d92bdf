"""NTSCC through the flowgraph: its side information crosses the air, and the bound on the total CBR holds there."""

import numpy as np
import pytest
import torch

from gr_jscc.codecs.ntscc.codec import NTSCC
from gr_jscc.codecs.ntscc.config import NTSCCConfig
from gr_jscc.codecs.ntscc.network import NTSCCNetwork
from gr_jscc.imaging import save_image
from gr_jscc.link.ideal import ideal_reception
from gr_jscc.metrics.picture import psnr_db
from gr_jscc.weights import write_model

pytest.importorskip("gnuradio")
pytestmark = [pytest.mark.gnuradio, pytest.mark.timeout(180)]

ATTENTION = {"inner": 8, "heads": 2, "window": 4, "hidden": 8}
NETWORK = {
    "latents": 256,
    "transforms": {
        "kind": "mixed", "fine": 8, "coarse": 8, "hidden": 8, "analysis_blocks": [1, 1, 1],
        "synthesis_blocks": [1, 1, 1], "attention": ATTENTION,
    },
    "rates": list(range(16, 257, 16)),
    "codec": {"blocks": 1, **ATTENTION},
    "hyper": {"width": 8, "channels": 3, "kernel": 3},
    "refine": 8,
}  # fmt: skip
SNR_DB = 12.0


@pytest.fixture
def weights(tmp_path, photo):
    """The linear code of the photo: untrained, but good enough to see whether pictures arrive."""
    torch.manual_seed(1)
    crops = torch.from_numpy(photo.copy()).permute(2, 0, 1).float().unfold(1, 64, 64).unfold(2, 64, 64) / 255
    network = NTSCCNetwork(NTSCCConfig(**NETWORK))
    network.start_linear(crops.permute(1, 2, 0, 3, 4).reshape(-1, 3, 64, 64))
    write_model(tmp_path / "linear.safetensors", "ntscc", network.config, network.state_dict(), {})
    return tmp_path / "linear.safetensors"


def test_side_information_crosses_the_air_and_the_total_is_bounded(tmp_path, small_photo, weights):
    from gr_jscc.flowgraphs.loopback import Air, LoopbackFlowgraph
    from gr_jscc.link.loading import Encoding

    picture = np.ascontiguousarray(small_photo[:189, :251])  # sides that are no multiples of anything
    save_image(tmp_path / "picture.png", picture)
    bound = 0.12
    encoding = Encoding("ntscc", bound, str(weights), total=True)
    graph = LoopbackFlowgraph([tmp_path / "picture.png"], encoding, Air(snr_db=SNR_DB, cfo=0.1))
    (result,) = list(graph.results())
    report = result.report
    assert report["bursts"]["lost"] == 0
    assert 0.9 * bound < report["cbr"]["total"] <= bound
    assert report["uses"]["side_info"] < 0.25 * report["uses"]["payload"]

    codec = NTSCC(weights)
    payload = codec.transmitter(report["cbr"]["payload"]).start(picture)
    reception = ideal_reception(payload, SNR_DB, np.ones(1, np.complex64), np.random.default_rng(1))
    ideal = psnr_db(picture, codec.receiver(*picture.shape[:2]).push(reception))
    assert ideal > 22 and report["psnr_db"] == pytest.approx(ideal, abs=0.4)
