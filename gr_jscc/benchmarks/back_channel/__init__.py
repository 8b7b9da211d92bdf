"""The back-channel between processes of this machine: round trips, hostile messages, a cut of the network."""
