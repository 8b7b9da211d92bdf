"""What a person did wrong, in one line."""


class UserError(ValueError):
    """Bad input or a missing part; programs print the message, without a traceback, and exit with code 2.

    Example:
        >>> from gr_jscc.imaging import load_image
        >>> try:
        ...     load_image("nowhere.png")
        ... except UserError as error:
        ...     print(error)
        nowhere.png: no such file
    """
