"""Archetypal analysis: the few vertices of a mesh, and the weights, that stand for all of it in every pose.

The idea is that of virtual markers (Ma et al., "3D Human Mesh Estimation from Virtual Markers", CVPR 2023): with N
posed meshes, every vertex is one point in R^3N, and markers are archetypes (Cutler and Breiman, "Archetypal Analysis",
1994) of these V points. Here the points are first brought to a few dimensions, and everything is exactly left/right
symmetric. The steps are

1. farthest-point vertices as a start,
2. archetypal analysis: alternate the weights of the vertices over the archetypes, and the archetypes as convex
   combinations of vertices,
3. archetypes become their nearest vertices, then single vertices are exchanged for better ones as long as the error
   falls (archetypoids: Vinué, Epifanio and Alemany, "Archetypoids", 2015).
"""

import numpy as np
from scipy.linalg import eigh

from opengait_meshgait.body.markers import hull_weights, interpolation_errors, interpolation_weights
from opengait_meshgait.common.errors import UserError

DIMENSIONS = 100
"""What is kept of R^3N. Of the stand-in body's vertices less than 1 mm is lost."""
ALTERNATIONS = 25
MAX_SWEEPS = 10
CANDIDATES = 5
"""How many vertices are tried in the place of one."""
LEAST_WEIGHT = 1e-3
CHOSEN_AMONG = 2000
"""Of more vertices, that many drawn at random are candidates; the time grows with the square of their number."""


def learn_markers(
    vertices: np.ndarray, mirror: np.ndarray, count: int, paired: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Virtual markers for a body, from meshes of it in many shapes and poses.

    Args:
        vertices: posed meshes, m, float ``[N, V, 3]``. Each is also used mirrored (x to -x).
        mirror: for each vertex its counterpart on the other side, int ``[V]``; an involution.
        count: K, the number of markers, at least 4.
        paired: where ``mirror`` can be relied on, bool ``[V]``, the same on either side; everywhere when None. The
            other vertices become no markers and are interpolated by themselves.

    Returns:
        ``interpolation [V, K]`` float32 with rows that sum to 1, ``vertex_ids [K]`` int64 and ``flip [K]`` int64, for
        each marker the one on the other side. The same input gives the same markers.

    Raises:
        ValueError: shapes disagree, or ``mirror`` is no involution.
        UserError: there are no ``count`` vertices to choose.
    """
    surface = _surface(vertices, mirror, paired)
    coarse, kept = surface.thinned()
    chosen = coarse.exchange(coarse.archetypes(coarse.farthest(count)))
    return surface.markers(kept[chosen].tolist())


def farthest_point_markers(
    vertices: np.ndarray, mirror: np.ndarray, count: int, paired: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Markers spread evenly, each as far as can be from those before it: what learned ones are compared with.

    Distance is the root mean square over all meshes. Only the choice of vertices differs from :func:`learn_markers`;
    the interpolation is fitted in the same way. Arguments and result are the same too.
    """
    surface = _surface(vertices, mirror, paired)
    return surface.markers(surface.farthest(count))


def _surface(vertices: np.ndarray, mirror: np.ndarray, paired: np.ndarray | None = None) -> "_Surface":
    """The surface with the distances of the vertices, root mean square over all meshes and their mirror images.

    Where vertices have no counterparts, their mirror images are not known, and the meshes are used as they are.
    """
    vertices, mirror = np.asarray(vertices), np.asarray(mirror)
    if vertices.ndim != 3 or vertices.shape[2] != 3 or mirror.shape != vertices.shape[1:2]:
        raise ValueError(f"expected vertices [N, V, 3] and mirror [V], got {vertices.shape} and {mirror.shape}")
    number = np.arange(len(mirror))
    if not np.array_equal(mirror[mirror], number):
        raise ValueError("mirror must lead back to every vertex when applied twice")
    paired = np.ones(len(mirror), bool) if paired is None else paired
    image = mirror if paired.all() else number
    flat = vertices.transpose(0, 2, 1).reshape(-1, len(mirror)).astype(np.float64)
    flat -= flat.mean(1, keepdims=True)  # nothing changes for weights that sum to 1
    if 2 * len(flat) < len(mirror):
        # The same principal components from the smaller side: a row each for x, y and z of the meshes, and mirrored.
        flat = np.concatenate([flat, flat[:, image]]) / np.sqrt(2 * len(vertices))
        highest = len(flat) - 1
        _, axes = eigh(flat @ flat.T, subset_by_index=(max(highest + 1 - DIMENSIONS, 0), highest))
        points = (axes.T @ flat)[::-1]
    else:
        products = flat.T @ flat / len(vertices)
        # Mirroring x leaves inner products as they are, so the mirrored meshes only permute the rows and columns.
        products = (products + products[np.ix_(image, image)]) / 2
        lowest = max(len(mirror) - DIMENSIONS, 0)
        values, vectors = eigh(products, subset_by_index=(lowest, len(mirror) - 1))
        points = (vectors * np.sqrt(values.clip(0))).T[::-1]
    return _Surface(np.ascontiguousarray(points), np.where(paired, mirror, number), paired)


class _Surface:
    """V points, which are left/right counterparts of each other, on the midline, or neither.

    A choice of markers is a list of vertices, each of which stands for itself and for its mirror image.

    Args:
        points: ``[d, V]``.
        mirror: ``[V]``.
        paired: ``[V]``, False for those that are neither; ``mirror`` leads from these to themselves.
    """

    def __init__(self, points: np.ndarray, mirror: np.ndarray, paired: np.ndarray):
        self.points, self.mirror, self.paired = points, mirror, paired
        number = np.arange(len(mirror))
        self.midline = paired & (mirror == number)
        self.half = np.flatnonzero(number <= mirror)
        self.times = 2.0 - (mirror == number)[self.half]  # how many vertices each one of `half` stands for

    def thinned(self) -> tuple["_Surface", np.ndarray]:
        """Some of the vertices as a surface of their own, and which ones ``[v]``; all where they are few enough."""
        half = self.half
        if len(self.mirror) > CHOSEN_AMONG:
            half = np.random.default_rng(0).permutation(half)[: CHOSEN_AMONG // 2]
        kept = np.union1d(half, self.mirror[half])
        place = np.empty_like(self.mirror)
        place[kept] = np.arange(len(kept))
        points = np.ascontiguousarray(self.points[:, kept])
        return _Surface(points, place[self.mirror[kept]], self.paired[kept]), kept

    def farthest(self, count: int) -> list[int]:
        """Farthest-point choice, from the centre outwards."""
        if not 4 <= count <= len(self.mirror):
            raise UserError(f"Expected 4 to {len(self.mirror)} markers (the vertices), got {count}.")
        chosen: list[int] = []
        from_centre = (self.points**2).sum(0)
        distance = np.full(len(from_centre), np.inf)
        while count:
            free = self.paired & (self.midline | (count > 1))
            score = np.where(free, distance if chosen else from_centre, 0)
            vertex = int(score.argmax())
            if score[vertex] <= 0:
                raise UserError(
                    f"No vertex is left for marker {count} from the last: {self.paired.sum()} of "
                    f"{len(self.paired)} may become markers, {(self.paired & self.midline).sum()} of them on "
                    "the midline. Take another number of markers, or a body whose two sides are alike."
                )
            chosen.append(vertex)
            count -= 1 if self.midline[vertex] else 2
            for side in (vertex, self.mirror[vertex]):
                distance = np.minimum(distance, ((self.points - self.points[:, [side]]) ** 2).sum(0))
        return chosen

    def expand(self, chosen: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """All marker vertices of a choice, counterparts side by side, and their flip permutation."""
        ids = np.array([side for v in chosen for side in ((v,) if self.midline[v] else (v, self.mirror[v]))])
        place = {int(v): k for k, v in enumerate(ids)}
        return ids, np.array([place[int(v)] for v in self.mirror[ids]])

    def archetypes(self, chosen: list[int]) -> list[int]:
        """The vertices nearest to the archetypes that alternation finds from the start ``chosen``."""
        ids, flip = self.expand(chosen)
        markers = self.points[:, ids]
        for _ in range(ALTERNATIONS):
            weights = self.spread(interpolation_weights(self.points[:, self.half], markers), flip)
            rest = self.points - markers @ weights.T
            for k in np.flatnonzero((np.arange(len(flip)) <= flip) & weights.any(0)):
                # With all else fixed, the error is least at `target`; the archetype is the nearest point of the hull.
                target = markers[:, k] + rest @ weights[:, k] / (weights[:, k] @ weights[:, k])
                shares = np.zeros(len(self.mirror))
                shares[self.paired] = hull_weights(target, self.points[:, self.paired])
                if flip[k] == k:
                    shares = (shares + shares[self.mirror]) / 2
                for side, mix in {k: shares, flip[k]: shares[self.mirror]}.items():
                    moved = self.points @ mix
                    rest += np.outer(markers[:, side] - moved, weights[:, side])
                    markers[:, side] = moved
        found: list[int] = []
        for k in np.flatnonzero(np.arange(len(flip)) <= flip):
            distance = ((self.points - markers[:, [k]]) ** 2).sum(0)
            distance[~self.paired | (self.midline != (flip[k] == k))] = np.inf
            distance[found + [int(self.mirror[v]) for v in found]] = np.inf
            found.append(int(distance.argmin()))
        return found

    def exchange(self, chosen: list[int]) -> list[int]:
        """Exchange one vertex (and its counterpart) after the other for a better one until the error stands still.

        A vertex is taken away, what leaned on it is fitted to the others, and the vertices towards which the errors
        then left could shrink most are tried in its place.
        """
        points = self.points[:, self.half]
        ids, _ = self.expand(chosen)
        weights = interpolation_weights(points, self.points[:, ids])
        error = interpolation_errors(points, self.points[:, ids], weights)
        for _ in range(MAX_SWEEPS):
            before = error
            for slot, old in enumerate(chosen):
                others, _ = self.expand(chosen[:slot] + chosen[slot + 1 :])
                columns = np.isin(ids, others)
                orphans = weights[:, ~columns].any(1)
                fallback = weights[:, columns]
                fallback[orphans] = interpolation_weights(points[:, orphans], self.points[:, others])
                gains = self.gains(points, self.points[:, others] @ fallback.T)
                score = self.times @ gains
                score[(self.midline != self.midline[old]) | (self.mirror < np.arange(len(score)))] = -1
                score[~self.paired] = -1
                score[[*others, old, self.mirror[old]]] = -1
                best, winner = (1 - 1e-4) * (self.times @ error), None
                for new in np.argsort(-score, kind="stable")[:CANDIDATES]:
                    if score[new] < 0:
                        break
                    trial = [*chosen[:slot], int(new), *chosen[slot + 1 :]]
                    trial_ids, _ = self.expand(trial)
                    rows = orphans | (gains[:, new] > 1e-2 * error.mean())
                    fitted = interpolation_weights(points[:, rows], self.points[:, trial_ids])
                    trial_error = error.copy()
                    trial_error[rows] = interpolation_errors(points[:, rows], self.points[:, trial_ids], fitted)
                    if self.times @ trial_error < best:
                        best, winner = self.times @ trial_error, (trial, trial_ids, rows, fitted, trial_error)
                if winner:
                    chosen, ids, rows, fitted, error = winner
                    weights[rows] = fitted
            if error is before:
                break
        return chosen

    def gains(self, points: np.ndarray, fitted: np.ndarray) -> np.ndarray:
        """By how much each squared error would fall if its fit moved straight towards a vertex or its counterpart.

        ``[H, V]`` of points ``[d, H]`` and of what stands for them so far, ``[d, H]``.
        """
        rest = points - fitted
        along = rest.T @ self.points - (rest * fitted).sum(0)[:, None]
        length = (self.points**2).sum(0) + (fitted**2).sum(0)[:, None] - 2 * fitted.T @ self.points
        step = (along / length.clip(1e-12)).clip(0, 1)
        gain = step * (2 * along - step * length)
        return np.maximum(gain, gain[:, self.mirror])

    def spread(self, weights: np.ndarray, flip: np.ndarray) -> np.ndarray:
        """Weights ``[V, K]`` of all vertices from those of ``half``; the other half gets them mirrored."""
        everywhere = np.empty((len(self.mirror), weights.shape[1]))
        everywhere[self.mirror[self.half]] = weights[:, flip]
        on_midline = self.midline[self.half, None]
        everywhere[self.half] = np.where(on_midline, (weights + weights[:, flip]) / 2, weights)
        return everywhere

    def markers(self, chosen: list[int]) -> dict[str, np.ndarray]:
        """Fit the interpolation of a choice of vertices and make it sparse."""
        ids, flip = self.expand(chosen)
        weights = interpolation_weights(self.points[:, self.half], self.points[:, ids])
        weights[np.abs(weights) < LEAST_WEIGHT] = 0
        weights = self.spread(weights / weights.sum(1, keepdims=True), flip)
        return {"interpolation": weights.astype(np.float32), "vertex_ids": ids.astype(np.int64), "flip": flip}
