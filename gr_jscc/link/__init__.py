"""An image's journey: a transfer of one or more rounds, each a manifest and a train of bursts."""
