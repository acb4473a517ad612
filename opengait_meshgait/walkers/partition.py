"""Who trains, who tests, and which sequences are probes."""

from collections import Counter
from collections.abc import Callable

from opengait_meshgait.walkers.options import WalkerSet
from opengait_meshgait.walkers.person import WalkName


def view_folder(view: int) -> str:
    """The folder of a view, ``018``."""
    return f"{view:03d}"


def sequence_name(walk: WalkName, view: int) -> str:
    """``id-type-view``."""
    return f"{walk.label}-{walk.type}-{view_folder(view)}"


def lone_testers(options: WalkerSet) -> list[str]:
    """Labels of the test people who have a single walk."""
    counts = Counter(walk.label for walk in options.walks() if walk.number > options.num_train + options.val)
    return [label for label, count in counts.items() if count == 1]


def make_partition(options: WalkerSet, name: Callable[[WalkName, int], str] = sequence_name) -> dict[str, list[str]]:
    """The partition in OpenGait's form: lists of ids, and ``PROBE_SET`` of sequences ``id-type-view``.

    The first people train, the next validate (``VAL_SET`` only if there are any), the rest test. Of each test person
    the last walk of every condition is a probe, in all views; the other walks are the gallery, of which the first walk
    is always one. With a single walk a person, one view of it is the probe, another one from person to person.

    Args:
        options: which walkers.
        name: of a walk seen from a view, as ``PROBE_SET`` is to give it.
    """
    labels = [WalkName(number, "nm", 1).label for number in range(1, options.ids + 1)]
    seen = options.num_train + options.val
    partition = {"TRAIN_SET": labels[: options.num_train], "TEST_SET": labels[seen:]}
    if options.val:
        partition["VAL_SET"] = labels[options.num_train : seen]
    probes = []
    for number in range(seen + 1, options.ids + 1):
        own = [walk for walk in options.walks() if walk.number == number]
        takes = {walk.condition: walk.take for walk in own}
        last = [walk for walk in own[1:] if walk.take == takes[walk.condition]]
        if last:
            probes += [name(walk, view) for walk in last for view in options.views]
        elif len(options.views) > 1:
            probes.append(name(own[0], options.views[number % len(options.views)]))
    return partition | {"PROBE_SET": probes}
