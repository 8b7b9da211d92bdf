"""Channel models for streams of samples: `Chain`, `Scenario` and the impairments in them. The differentiable ones, for
training, are in `gr_jscc.nn.noise`."""

from typing import TYPE_CHECKING

from gr_jscc.on_demand import on_demand

if TYPE_CHECKING:
    from gr_jscc.channel.chain import Chain
    from gr_jscc.channel.fading import BlockFading, DopplerFading, Multipath
    from gr_jscc.channel.front_end import Clipping, DcOffset, IqImbalance, PowerAmplifier, Quantiser
    from gr_jscc.channel.impairment import Impairment
    from gr_jscc.channel.interference import Interference
    from gr_jscc.channel.losses import BurstLoss, DroppedSamples
    from gr_jscc.channel.noise import Awgn
    from gr_jscc.channel.oscillator import CarrierOffset, FreeOscillator, PhaseNoise
    from gr_jscc.channel.sample_clock import SampleOffset
    from gr_jscc.channel.scenario import Scenario, ScenarioError, load_scenario, parse_scenario

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

__getattr__ = on_demand(__name__)
