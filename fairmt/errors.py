"""The one exception that users see as a message instead of a traceback."""


class FairMTError(Exception):
    """Bad input or a broken environment, described so that the reader can mend it.

    The message names the file, the field, what was expected and what was found.
    The command line prints it without a traceback unless ``--debug`` is given.
    """
