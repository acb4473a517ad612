"""How fast `meshgait identify` is, with random embeddings.

    python tools/identify_speed.py [--gallery 100000] [--probes 1000] [--people 20000] [--threads 2]

Writes a gallery of 256 channels x 16 parts (16 KB a sequence) and probes into a temporary folder, a block at a time,
and prints, for one probe and for all of them, the seconds that pass and those that the processor works (all cores
together; on a machine that does nothing else the first are about the second over --threads), and the largest memory of
this process, with those pages of the mapped files that are in it.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from opengait_meshgait.inference.embeddings import Embeddings, read_embeddings, write_embeddings
from opengait_meshgait.inference.identify import identify

SHAPE = (256, 16)
BLOCK = 1000


def write(path: Path, number: int, people: int, seed: int) -> Embeddings:
    rng = np.random.default_rng(seed)
    blocks = (rng.standard_normal((min(BLOCK, number - n), *SHAPE), np.float32) for n in range(0, number, BLOCK))
    labels = [f"{person:06d}" for person in rng.integers(people, size=number)]
    names = [f"{label}-{place}" for place, label in enumerate(labels)]
    texts = {"names": names, "labels": labels, "types": labels, "views": labels}
    write_embeddings(path, blocks, (number, *SHAPE), texts, "random", "euc")
    return read_embeddings(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gallery", type=int, default=100_000, help="sequences (default: %(default)s)")
    parser.add_argument("--probes", type=int, default=1000, help="sequences (default: %(default)s)")
    parser.add_argument("--people", type=int, default=20_000, help="in the gallery (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        gallery = write(Path(folder) / "gallery.npz", options.gallery, options.people, 0)
        probes = write(Path(folder) / "probes.npz", options.probes, options.people, 1)
        one = write(Path(folder) / "one.npz", 1, options.people, 2)
        for metric in ("euc", "cos"):
            for few in (one, probes):
                start, worked = time.perf_counter(), time.process_time()
                identify(gallery, few, 5, metric)
                seconds, worked = time.perf_counter() - start, time.process_time() - worked
                rate = f"{len(few) / seconds:.1f} probes/s"
                print(f"{metric}, {len(few)} probe(s): {seconds:.2f} s, {rate}; {worked:.2f} s of processor time")
        print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
