"""Which air interface this is, for those who ask before they load a modem."""

#: Counted up when older ends do not understand the bursts any more. Before 4 headers had 288 symbols, before 3 the
#: payload's pilots stood still.
VERSION = 4
