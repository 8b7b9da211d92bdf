"""Network layers that the codecs share."""
