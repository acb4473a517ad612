"""Random features with planted identities: what evaluators are timed on, and compared by."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from opengait_meshgait.benchmark.interleaved import Workload
from opengait_meshgait.evaluation import PROTOCOLS, evaluate_recognition

GAIT3D, CROSS_VIEW = "evaluate_Gait3D", "evaluate_indoor_dataset"
"""The tasks, by OpenGait's names; each returns metrics in percent by name."""
# Standard deviation of a sequence around its identity, whose own is 1. With 4,096 numbers an embedding, Rank-1 among
# 20,000 is then neither 0 nor 100 %.
_NOISE = 4.5


@dataclass(frozen=True)
class EvaluationCase:
    """Which features to compare.

    Attributes:
        probes, gallery: how many sequences. Of the probes, each identity has one in each of ``VIEWS``; of the
            gallery, which is to be as large at least, as many as there are.
        channels, parts: of an embedding.
        metric: ``euc`` or ``cos``.
    """

    probes: int
    gallery: int
    channels: int
    parts: int
    metric: str
    VIEWS: ClassVar = ("000", "045", "090", "135", "180")

    def embeddings(self) -> torch.Tensor:
        """Probes, then gallery, float32 ``[n, c, p]``."""
        random = torch.Generator().manual_seed(0)
        person = torch.tensor([int(label) for label in self.labels])
        centres = torch.randn(self.identities, self.channels, self.parts, generator=random)
        noise = torch.randn(len(person), self.channels, self.parts, generator=random)
        return noise.mul_(_NOISE).add_(centres[person])

    @property
    def identities(self) -> int:
        """How many."""
        return self.probes // len(self.VIEWS)

    @property
    def labels(self) -> list[str]:
        """Identities, alike over probes and gallery."""
        return [f"{number % self.identities:04d}" for count in (self.probes, self.gallery) for number in range(count)]

    @property
    def types(self) -> list[str]:
        """OUMVLP's: probes 00, gallery 01."""
        return ["00"] * self.probes + ["01"] * self.gallery

    @property
    def views(self) -> list[str]:
        """One after the other for each identity."""
        counted = (number // self.identities for count in (self.probes, self.gallery) for number in range(count))
        return [self.VIEWS[number % len(self.VIEWS)] for number in counted]

    @property
    def probe_names(self) -> list[str]:
        """``id-type-view`` of the probes, as a partition's PROBE_SET lists them."""
        names = [*zip(self.labels, self.types, self.views)][: self.probes]
        return ["-".join(name) for name in names]


def evaluation_workload(case: EvaluationCase, device: torch.device) -> Workload:
    """This package's evaluators, ready to be timed."""
    embeddings = case.embeddings().to(device)
    about = embeddings, case.labels, case.types, case.views
    tasks = {
        GAIT3D: lambda: evaluate_recognition(*about, PROTOCOLS["Gait3D"], case.probe_names, case.metric).metrics,
        CROSS_VIEW: lambda: evaluate_recognition(*about, PROTOCOLS["OUMVLP"], metric=case.metric).metrics,
    }
    return Workload({}, tasks, device)
