"""The nearest people among blocks of distances, one piece of a gallery after the other."""

import torch

_GROUP = 128  # distances that are looked at one by one only where the least of them is near enough


def merge_nearest(
    best: torch.Tensor,
    where: torch.Tensor,
    values: torch.Tensor,
    columns: torch.Tensor,
    codes: torch.Tensor,
    start: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The nearest people of those so far, and of the piece of the gallery that begins at ``start``.

    Args:
        best, where: distances and places [b, k] so far, each of another person; infinite and -1 where there is nobody.
        values, columns: distances and places in the piece [b, m].
        codes: the people of the whole gallery.
        start: of the piece.

    Returns:
        Distances and places [b, k], the nearest first.
    """
    top = best.shape[1]
    values = torch.cat([best, values], 1)
    found = torch.cat([where, columns + start], 1)
    values, order = values.sort(dim=1, stable=True)
    found = found.gather(1, order)
    # Empty places, -1, are no person: infinitely far, they stay behind whoever they are taken for.
    values[~_first_of_each(torch.where(found < 0, -1, codes[found]))] = torch.inf
    values, order = values.topk(top, largest=False)
    return values, found.gather(1, order)


def nearest_of_block(
    block: torch.Tensor, codes: torch.Tensor, top: int, people: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of distances [b, m] to sequences of the people ``codes`` [m], so many of them, those to the nearest people, and
    their columns."""
    top, width = min(top, people), block.shape[1]
    # A person may have many near sequences: more and more are looked at until enough people are among them.
    number = min(4 * top, width)
    while True:
        values, columns = block.topk(number, largest=False)
        first = _first_of_each(codes[columns])
        if number == width or (first.sum(1) >= top).all():
            break
        number = min(4 * number, width)
    values, order = values.masked_fill(~first, torch.inf).topk(top, largest=False)
    return values, columns.gather(1, order)


def nearer_than(block: torch.Tensor, limits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The rows of ``block [b, m]`` that have distances below their limit ``[b]``, these distances, and their columns;
    ``[r]``, and both ``[r, k]``, infinitely far in the places that a row has too many."""
    width = block.shape[1] if block.shape[1] % _GROUP else _GROUP
    groups = block.unflatten(1, (-1, width))
    # Most probes have nobody nearer in a piece than in those before it, and few have in most of it.
    row, group = (groups.amin(2) < limits[:, None]).nonzero(as_tuple=True)
    some = groups[row, group]
    place, column = (some < limits[row, None]).nonzero(as_tuple=True)
    rows, count = row[place].unique_consecutive(return_counts=True)
    there = torch.arange(max(count.tolist(), default=0), device=block.device) < count[:, None]
    values = torch.full(there.shape, torch.inf, device=block.device)
    values[there] = some[place, column]
    columns = torch.zeros(there.shape, dtype=torch.int64, device=block.device)
    columns[there] = group[place] * width + column
    return rows, values, columns


def _first_of_each(codes: torch.Tensor) -> torch.Tensor:
    """Whether a number is the first of its kind in its row: [b, k] -> bool [b, k]."""
    ordered, places = codes.sort(dim=1, stable=True)
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return torch.zeros_like(first).scatter(1, places, first)
