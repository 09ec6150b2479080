"""Workers for a model, and when one of them will be free for a job."""

import math
from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True)
class Staff:
    """Workers for a model."""

    n_workers: int
    n_busy: int
    left_s: Sequence[float] = ()
    """Estimated time until those of their jobs end of which that is known."""

    def begins_in_s(self, ahead: Iterable[tuple[int, float]], typical_s: float) -> float:
        """Estimated time until a job begins behind others: so many of each, and how long each of those takes.

        A worker takes the next job as it ends one. Of those ahead the longest are taken to go first, so more
        of any kind never make it earlier. Of jobs of which nobody knows how long they have run, each takes
        `typical_s`; one is taken to be at its beginning, and the others to be spread over their time.

        >>> Staff(1, 1).begins_in_s([(1, 10)], 10), Staff(1, 1, [4]).begins_in_s([(2, 1), (1, 10)], 10)
        (20.0, 16.0)
        """
        n_unknown = self.n_busy - len(self.left_s)
        unknown_s = [typical_s * n / n_unknown for n in range(1, n_unknown + 1)]
        idle_s = [0.0] * (self.n_workers - self.n_busy)
        free_in_s = sorted([*self.left_s, *unknown_s, *idle_s])
        again = len(free_in_s) - self.n_workers, typical_s  # those whose worker is gone are run again
        del free_in_s[self.n_workers :]
        for n_jobs, each_s in sorted([*ahead, again], key=lambda kind: -kind[1]):
            free_in_s = _after(free_in_s, n_jobs, each_s)
        return float(free_in_s[0])


def _after(free_in_s: Sequence[float], n_jobs: int, each_s: float) -> list[float]:
    """When workers are free (sorted) that take so many jobs; costs the same for any number of them.

    >>> _after([4, 9], 3, 10), _after([3, 45], 5, 10)
    ([19, 24], [45, 53])
    """
    if not n_jobs or not each_s:
        return list(free_in_s)
    work_s = n_jobs * each_s
    sums_s = enumerate(accumulate(free_in_s), start=1)
    level_s = min((work_s + sum_s) / n for n, sum_s in sums_s)  # if jobs could be split, all would end then
    rounds = [max(0, math.floor((level_s - each) / each_s - 1e-6)) for each in free_in_s]
    free = sorted(each + n * each_s for each, n in zip(free_in_s, rounds, strict=True))
    for _ in range(n_jobs - sum(rounds)):  # at most two for each worker
        insort(free, free.pop(0) + each_s)
    return free
