"""The digital rivals: a picture codec and a channel code, or the channel's capacity."""
