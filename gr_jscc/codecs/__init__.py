"""The systems: one file each, behind the contract of `gr_jscc.codecs.base`."""
