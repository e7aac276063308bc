"""The errors that a user can act on: each names its cause and, where there is one, the remedy."""

import difflib
import errno
import os
from collections.abc import Iterable


class RosettaError(Exception):
    """A fault to show as one message without a traceback; ``remedy`` says what to do about it."""

    def __init__(self, cause: str, remedy: str = ""):
        super().__init__(f"{cause}\n{remedy}" if remedy else cause)
        self.cause = cause
        self.remedy = remedy


def unknown(kind: str, name: str, known: Iterable[str]) -> RosettaError:
    """Make the error for a name that doesn't exist, with the nearest names that do."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    remedy = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names) or 'none'}."
    return RosettaError(f"There is no {kind} '{name}'.", remedy)


_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Free some space there, or name another place."),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "Its permissions don't allow that: change them, or name another."),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "Too many files are open: raise the limit with ulimit -n."),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "Check the folders in its path, or name another."),
    errno.EROFS: "That file system can only be read: name another place.",
    errno.EFBIG: "It would be larger than files may be there: see ulimit -f.",
    errno.EISDIR: "It is a folder: name a file.",
    errno.ELOOP: "Its links lead in a circle: name another.",
    errno.ENAMETOOLONG: "Take a shorter name.",
    errno.EIO: "The disk reports a fault: look at the system's log.",
}


def remedy_for(error: OSError) -> str:
    """Say what helps against what a file system says; nothing where that isn't known."""
    # NumPy's own message about a write that was cut short has no number.
    if not error.errno:
        return f"Check the disk's free space, also that of {os.environ.get('TMPDIR') or '/tmp'}."
    return _REMEDIES.get(error.errno, "")


def storage_error(error: OSError, path: object = "", what: str = "used", safe: str = "") -> RosettaError:
    """Make the error for a file or folder that can't be used, made, read or written.

    ``path`` is named where the error names none; ``safe`` is a sentence about what isn't lost.
    """
    try:
        os.getcwd()
    except FileNotFoundError:
        return RosettaError("The working directory has been deleted.", " ".join(["Change to another.", safe]).strip())
    if "temporary directory" in str(error):  # tempfile's own, without a number of use
        cause, remedy = "There is no temporary folder that can be written.", "Free some space in it, or set TMPDIR."
    else:
        name = error.filename or path
        reason = error.strerror or str(error) or type(error).__name__
        cause = (
            f"{os.fsdecode(name) if isinstance(name, bytes) else name or 'What is needed'} can't be {what}: {reason}."
        )
        remedy = remedy_for(error)
    return RosettaError(cause, " ".join(part for part in (remedy, safe) if part))
