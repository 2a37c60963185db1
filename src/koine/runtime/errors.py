"""The one exception that users see."""


class KoineError(Exception):
    """Something a user can mend: the message names the file, the place, the reason and the remedy.

    `koine` prints the message without a traceback and exits with code 1; any other exception is a bug
    of ours and keeps its traceback.
    """
