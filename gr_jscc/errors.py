"""What a person did wrong, in one line."""


class UserError(ValueError):
    """Bad input or a missing part; programs print the message, without a traceback, and exit with code 2."""
