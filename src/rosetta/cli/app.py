"""The entry point: streams and signals first, then the commands, then what went wrong as a message and an exit code.

It imports next to nothing, so that Ctrl-C is heard from the first moment on.
"""

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from rosetta.errors import RosettaError

_INTERRUPTED = 130


def main() -> None:
    """Run the command line; what the user can mend is a message and exit code 2, Ctrl-C is 130, SIGTERM 143."""
    # Where it is ignored, as behind nohup, it stays so.
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, _leave)
    import atexit

    from rosetta.cli.streams import exit_code, mend_width, open_closed_streams, outlets

    if interruptible:
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # by then all is done and written
    open_closed_streams()
    mend_width()
    with outlets() as (out, _):
        code = _run(interruptible)
    sys.exit(exit_code(code, out))


def _leave(number: int, frame: "FrameType | None") -> None:
    """End at once: while the commands are imported there is nothing to tidy up."""
    os._exit(_INTERRUPTED)


def _end(number: int, frame: "FrameType | None") -> None:
    """End as Ctrl-C does, with workers, installers and temporary files gone."""
    raise SystemExit(128 + number)


def _run(interruptible: bool) -> int:
    try:
        from rosetta.cli.commands import app
        from rosetta.errors import RosettaError, storage_error
    finally:
        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    terminable = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if terminable:
        signal.signal(signal.SIGTERM, _end)
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except RosettaError as error:
        return _told(error)
    except OSError as error:
        return _told(storage_error(error))
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        if terminable:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return 0


def _told(error: "RosettaError") -> int:
    from rich.text import Text

    from rosetta.cli.console import err

    err.print(Text.assemble(("error:", "red"), f" {error.cause}"), soft_wrap=True)
    if error.remedy:
        err.say(error.remedy)
    return 2


if __name__ == "__main__":
    main()
