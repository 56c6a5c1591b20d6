"""The one error that a user can cause."""


class InputError(ValueError):
    """Something that the user gave is wrong.

    The message is one line that names the input, what was wrong with it and what would be
    right. The command line prints it and exits with 2; the node logs it, counts it and goes on.
    """
