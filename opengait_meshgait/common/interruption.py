"""Ctrl-C and SIGTERM, which clusters send at the end of the time limit: nothing that was computed is lost by them."""

import ctypes
import signal
import sys
import threading
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def end_with_parent(number: int) -> None:
    """Have the kernel send this process a signal when its parent ends, however that ends (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(number))


class Stopped(KeyboardInterrupt):
    """A signal asked this process to end.

    Attributes:
        signal: which.
        status: the exit code that tells so.
    """

    def __init__(self, number: int):
        self.signal = signal.Signals(number)
        self.status = 128 + number
        super().__init__(self.signal.name)


class Interruptible:
    """In its block, Ctrl-C and SIGTERM raise :class:`Stopped`, so that what was begun is tidied up.

    While work is ``unsaved`` they are noted instead, for the one who saves it to obey. A second Ctrl-C raises in any
    case. A signal that is ignored outside of the block is ignored in it; in other threads than the first the block does
    nothing.

    Attributes:
        unsaved: whether there is work to save.
        noted: the number of the signal that came meanwhile; 0: none.
    """

    def __init__(self) -> None:
        self.unsaved, self.noted = False, 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Interruptible":
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._hear) for number in heard}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # type: ignore[arg-type]

    def saved(self, elsewhere: int = 0) -> None:
        """All work is saved: obey the signal that was noted, here or ``elsewhere``, in another process.

        Raises:
            Stopped: there was one.
        """
        self.unsaved = False
        if number := elsewhere or self.noted:
            raise Stopped(number)

    def _hear(self, number: int, _: FrameType | None) -> None:
        if not self.unsaved or number == self.noted == signal.SIGINT:
            raise Stopped(number)
        self.noted = self.noted or number
