"""The digital baselines: a picture codec and a channel code, or the channel's capacity."""
