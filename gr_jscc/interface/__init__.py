"""The Python interface: send a picture over a link and look at what came of it, or many, and get a table.

What a user needs of it is in ``gr_jscc`` itself: ``from gr_jscc import send, evaluate``.
"""
