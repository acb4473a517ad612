"""Folders and files that one process at a time may write."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.provenance import command

try:
    import fcntl
except ImportError:  # on Windows nothing is locked
    fcntl = None


@contextmanager
def lock(written: Path, instead: str) -> Iterator[None]:
    """Keep other processes from writing a file or folder for the length of the block.

    A hidden file beside it is locked, and removed in the end. The system's lock on it counts, not that it is there: the
    lock of a process that was killed is free. Processes that this one starts do not inherit it. Folders made for it go
    again, if nothing is in them.

    Args:
        written: the file or folder, which need not exist.
        instead: what else the user could do, for messages.

    Raises:
        UserError: another process holds it.
    """
    if fcntl is None:
        yield
        return
    written = written.resolve()
    path = written.with_name(f".{written.name}.lock")
    made = [folder for folder in path.parents if not folder.exists()]
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:  # whoever writes there says why it cannot be
            yield
            return
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            holder = os.read(file, 4096)
            os.close(file)
            raise UserError(f"{written} is being written by {_in_words(holder)}. {instead}") from None
        except OSError:  # a file system without locks
            os.close(file)
            yield
            return
        if os.fstat(file).st_nlink:
            break
        os.close(file)  # the one before has removed it just now
    try:
        about = {"process": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        os.ftruncate(file, 0)
        os.write(file, json.dumps({**about, "command": command()}).encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)
        with suppress(OSError):
            for folder in made:
                folder.rmdir()


def _in_words(holder: bytes) -> str:
    try:
        about = json.loads(holder)
        return f"process {about['process']} on {about['host']} since {about['since']} ({about['command']})"
    except ValueError:  # it has only just begun
        return "another process"
