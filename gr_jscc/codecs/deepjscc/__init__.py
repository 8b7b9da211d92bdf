"""DeepJSCC: one convolutional network, masked to a rate."""
