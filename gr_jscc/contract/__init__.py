"""The contract of codecs as a test kit: whatever `gr_jscc.codecs.base` asks, held against any codec, ours or not."""
