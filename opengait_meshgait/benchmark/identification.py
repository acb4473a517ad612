"""``meshgait bench identify``: how many probes a second are found in a large gallery, by several clients at once."""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from opengait_meshgait.common import provenance
from opengait_meshgait.common.distributed import pick_device
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path, write_json
from opengait_meshgait.common.tables import markdown
from opengait_meshgait.engine.progress import say
from opengait_meshgait.inference.embeddings import Embeddings, read_embeddings, write_embeddings
from opengait_meshgait.inference.faiss_index import FaissIndex
from opengait_meshgait.inference.search import SearchIndex

_EACH = 10  # sequences of a person
_BLOCK = 4096
_CHECKED = 8  # probes whose answers are compared with brute force
_TOP = 5
# Standard deviation of a sequence around its person, whose own is 1.
_NOISE = 1.0


@dataclass(frozen=True)
class IdentificationCase:
    """What is searched for, and where.

    Attributes:
        gallery: sequences that are enrolled, ten of each person.
        channels, parts: of an embedding.
        metric: ``euc`` or ``cos``.
        index: ``exact`` or ``faiss``.
        clients: threads that ask at once.
        batch: probes that a client asks for at a time.
        seconds: how long they ask.
    """

    gallery: int
    channels: int
    parts: int
    metric: str
    index: str
    clients: int
    batch: int
    seconds: float

    def blocks(self, seed: int, number: int) -> Iterator[np.ndarray]:
        """Sequences of the people in their order, float32 ``[m, c, p]``; another ``seed``, other walks of them."""
        noise = np.random.default_rng(seed)
        for first in range(0, number, _BLOCK):
            rows = np.arange(first, min(first + _BLOCK, number))
            people = [np.random.default_rng([0, person]) for person in range(rows[0] // _EACH, rows[-1] // _EACH + 1)]
            shape = self.channels, self.parts
            centres = np.stack([random.standard_normal(shape, dtype=np.float32) for random in people])
            walks = noise.standard_normal((len(rows), *shape), dtype=np.float32)
            yield walks * np.float32(_NOISE) + centres[rows // _EACH - rows[0] // _EACH]

    def labels(self, number: int) -> list[str]:
        """The people of the first so many sequences."""
        return [f"{place // _EACH:07d}" for place in range(number)]


def bench_identification(case: IdentificationCase, device: str, out: Path) -> str:
    """Let clients search a gallery, and write ``identify.md`` and ``identify.json``.

    Args:
        case: what to search.
        device: as for ``--device``.
        out: folder of the files.

    Returns:
        The table, in Markdown.

    Raises:
        UserError: an answer is not that of brute force; faiss is not installed.
    """
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        say(f"Writing {case.gallery} sequences of [{case.channels}, {case.parts}] …")
        gallery = _written(Path(folder) / "gallery.npz", case, 1, case.gallery)
        asked = _written(Path(folder) / "probes.npz", case, 2, min(case.gallery, max(4 * case.batch, _CHECKED)))
        with _one_thread_each():
            began = time.perf_counter()
            where = case.metric, pick_device(device)
            index = FaissIndex(gallery, asked, _TOP, *where) if case.index == "faiss" else SearchIndex(gallery, *where)
            seconds = time.perf_counter() - began
            worst = _check(index, asked)
            say(f"{case.clients} clients ask for {case.seconds:g} s …")
            busy = time.process_time()
            latencies, elapsed = _ask(index, asked, case)
            busy = time.process_time() - busy
    answered, (median, late) = len(latencies) * case.batch, np.percentile(latencies, [50, 99])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    found = {
        "index_seconds": seconds, "probes_per_second": answered / elapsed,
        "probes_per_processor_second": answered / busy, "median_ms": 1e3 * median, "percentile_99_ms": 1e3 * late,
        "requests": len(latencies), "peak_bytes": peak, "checked": _CHECKED, "largest_difference": worst,
        "recall": None if index.recall is None else asdict(index.recall),
    }  # fmt: skip
    head = [
        "gallery",
        "embedding",
        "clients × probes",
        "probes / s",
        "probes / s of a core",
        "median",
        "99th percentile",
        "index made in",
        "peak",
    ]
    row = [
        f"{case.gallery:,}",
        f"[{case.channels}, {case.parts}]",
        f"{case.clients} × {case.batch}",
        f"{answered / elapsed:.0f}",
        f"{answered / busy:.0f}",
        f"{1e3 * median:.0f} ms",
        f"{1e3 * late:.0f} ms",
        f"{seconds:.1f} s",
        f"{peak / 2**30:.2f} GiB",
    ]
    load_now = os.getloadavg()[0]
    checked = "found as" if index.recall is None else f"checked. {index.recall.in_words()} Distances are those"
    text = (
        f"{markdown([head, row])}\n\n{case.metric}, the nearest {_TOP} people; {_CHECKED} probes {checked} by brute "
        f"force in float64 (distances within {worst:.0e}); {len(latencies)} requests in {elapsed:.0f} s; "
        f"{provenance.machine(device)}; load {load:.1f} to {load_now:.1f}."
    )
    content = {"schema": 1, **provenance.origin(device), "load": [load, load_now], **asdict(case), **found}
    write_json(out / "identify.json", content)
    with atomic_path(out / "identify.md") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return text


def _written(path: Path, case: IdentificationCase, seed: int, number: int) -> Embeddings:
    labels = case.labels(number)
    names = [f"{label}-{place}" for place, label in enumerate(labels)]
    texts = {"names": names, "labels": labels, "types": ["nm"] * number, "views": ["000"] * number}
    shape = number, case.channels, case.parts
    write_embeddings(path, case.blocks(seed, number), shape, texts, "random", case.metric)
    return read_embeddings(path)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Clients do not share the cores for one product: each has its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _ask(index: SearchIndex, asked: Embeddings, case: IdentificationCase) -> tuple[list[float], float]:
    """The seconds that each request took, and those that all took together."""
    began = time.perf_counter()

    def client(number: int) -> list[float]:
        taken: list[float] = []
        places = (np.arange(case.batch) + number * case.batch) % len(asked)
        probes = asked.take(places)
        while not taken or time.perf_counter() - began < case.seconds:
            start = time.perf_counter()
            index.nearest(probes, _TOP)
            taken.append(time.perf_counter() - start)
        return taken

    with ThreadPoolExecutor(case.clients) as pool:
        taken = [one for each in pool.map(client, range(case.clients)) for one in each]
    return taken, time.perf_counter() - began


def _check(index: SearchIndex, asked: Embeddings) -> float:
    """Compare some answers with brute force in float64; the largest difference of a distance, relative.

    Raises:
        UserError: another person is nearer, and the search is exact; or a distance is another.
    """
    probes = asked.take(np.linspace(0, len(asked) - 1, _CHECKED).astype(int))
    distances, places = index.nearest(probes, _TOP)
    gallery, worst = index.gallery, 0.0
    for row, probe in enumerate(probes.values.astype(np.float64)):
        far = np.concatenate(
            [_brute(probe, gallery.values[i : i + _BLOCK], index.metric) for i in range(0, len(gallery), _BLOCK)]
        )
        best: dict[str, float] = {}
        for place in np.argsort(far, kind="stable") if index.recall is None else places[row]:
            best.setdefault(gallery.labels[place], far[place])
            if len(best) == _TOP:
                break
        expected = np.array([*best.values()])
        difference = max(np.abs(distances[row] / expected - 1).max(), np.abs(far[places[row]] / expected - 1).max())
        worst = max(worst, float(difference))
        if difference > 1e-4:
            raise UserError(
                f"The people nearest to {probes.names[row]} are not those of brute force. Please report it."
            )
    return worst


def _brute(probe: np.ndarray, gallery: np.ndarray, metric: str) -> np.ndarray:
    if metric == "cos":
        sizes = np.linalg.norm(gallery, axis=1) * np.linalg.norm(probe, axis=0)
        return 1 - (np.einsum("ncp,cp->np", gallery, probe) / sizes).mean(1)
    return np.linalg.norm(gallery - probe, axis=1).mean(1)
