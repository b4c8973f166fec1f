"""How sure a share is, and how often several tries all succeed."""

import math

Z = 1.959964  # 95 percent of a normal distribution lie within so many deviations


def wilson(hits: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of `hits` among `count`; 0 to 1 when nothing was counted."""
    if count == 0:
        return 0.0, 1.0
    share, z2 = hits / count, Z * Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def pass_all(hits: int, runs: int, tries: int) -> float:
    """How likely `tries` runs of one ticket all pass, from `hits` of `runs` that did: without bias, tries <= runs."""
    return math.comb(hits, tries) / math.comb(runs, tries)


def percentile(values: list[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
