"""What families of codecs share: pixels, power scale, symbols, transforms, coding of side information."""
