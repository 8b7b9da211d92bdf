"""Channel models for streams of samples: `Chain`, `Scenario` and the impairments in them. The differentiable ones, for
training, are in `gr_jscc.nn.channel`."""

from .chain import Chain
from .fading import BlockFading, DopplerFading, Multipath
from .front_end import Clipping, DcOffset, IqImbalance, PowerAmplifier, Quantiser
from .impairment import Impairment
from .interference import Interference
from .losses import BurstLoss, DroppedSamples
from .noise import Awgn
from .oscillator import CarrierOffset, FreeOscillator, PhaseNoise
from .sample_clock import SampleOffset
from .scenario import Scenario, ScenarioError, load_scenario, parse_scenario

__all__ = [
    "Awgn",
    "BlockFading",
    "BurstLoss",
    "CarrierOffset",
    "Chain",
    "Clipping",
    "DcOffset",
    "DopplerFading",
    "DroppedSamples",
    "FreeOscillator",
    "Impairment",
    "Interference",
    "IqImbalance",
    "Multipath",
    "PhaseNoise",
    "PowerAmplifier",
    "Quantiser",
    "SampleOffset",
    "Scenario",
    "ScenarioError",
    "load_scenario",
    "parse_scenario",
]
