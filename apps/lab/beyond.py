"""Tables of what the four papers do not show, from the outcomes alone. Nothing here imports Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from apps.lab.evidence import (
    HERE,
    Networks,
    claims,
    compare_rates,
    markdown,
    name_row,
    number,
    paired,
    spread,
)
from apps.lab.measures import samples, was_shown
from apps.lab.outcomes import Outcomes
from apps.lab.statistics import Difference

OUTCOMES = HERE / "networks" / "beyond"
CLAIMS = HERE / "claims_beyond.yaml"
MARKS = ("<!-- beyond -->", "<!-- end of beyond -->")

MEASURES = {
    "accuracy": "clean",
    "corruption error": "C, severity 3",
    "adapted error": "the same, statistics of the batch",
    "C-bar error": "C-bar, all severities",
}


def render(networks: Networks) -> str:
    """The tables as Markdown."""
    counts = sorted({len(one.right["clean"]) for row in networks.values() for one in row.values()})
    n = ", ".join(map(str, counts))
    return (
        f"Shares of the first {n} test images. Where there are several seeds: mean (lowest to highest).\n\n"
        f"{markdown(table(networks))}\n\n"
        f"The channel: where noise of one octave hurts most, in cycles per image, and how wide it is, in "
        f"octaves (people: about 1), with 95 % over draws of the images; the noise of each octave that takes "
        f"accuracy to the criterion.\n\n{markdown(channels(networks))}\n\n"
        f"One mask for all classes: accuracy where a network sees one share of the frequencies alone; masks "
        f"that are learned for it / those of most power / disks.\n\n{markdown(masks(networks))}\n\n"
        f"Claims, written down before the measurement (`apps/references/claims_beyond.yaml`):\n\n"
        f"{markdown(claims(networks, CLAIMS, differ=differ))}\n"
    )


def table(networks: Networks) -> list[list[str]]:
    """One row for each way to train: errors, and decisions in conflicts."""
    first = next(iter(next(iter(networks.values())).values()))
    radii = [name.removeprefix("conflict ") for name in first.predicted if name[-1].isdigit()]
    named = MEASURES | {f"low bias {radius}": f"low at {radius}" for radius in radii}
    lines = [["trained with", "seeds", *named.values()]]
    for row, by_seed in networks.items():
        cells = []
        for name in named:
            rates = [samples([one], name).rate for one in by_seed.values() if was_shown(one, name)]
            cells.append(number(float(np.mean(rates))) + spread(rates) if rates else "-")
        lines.append([name_row(row), str(len(by_seed)), *cells])
    return lines


def channels(networks: Networks) -> list[list[str]]:
    """One row for each network: its channel."""
    first = _channel(next(iter(next(iter(networks.values())).values())))
    octaves = [f"noise at {center:g}" for center in first["centers"]]
    lines = [["trained with", "seed", "no noise", "center", "octaves", *octaves]]
    for row, by_seed in networks.items():
        for seed, one in by_seed.items():
            found = _channel(one)
            fitted = [_with_interval(found, name) for name in ("center", "bandwidth")]
            noise = ["-" if np.isnan(value) else number(value) for value in found["thresholds"]]
            lines.append([name_row(row), str(seed), number(found["unmasked"]), *fitted, *noise])
    return lines


def masks(networks: Networks) -> list[list[str]]:
    """One row for each way to train: accuracies under masks of each share."""
    first = next(iter(next(iter(networks.values())).values()))
    shares = [name.removeprefix("masked disk ") for name in first.right if name.startswith("masked disk ")]
    lines = [["trained with", *(f"{float(share):.0%}" for share in shares)]]
    for row, by_seed in networks.items():
        cells = []
        for share in shares:
            rates = [
                np.mean([one.rate(f"masked {kind} {share}") for one in by_seed.values()])
                for kind in ("learned", "power", "disk")
            ]
            cells.append(" / ".join(number(float(rate)) for rate in rates))
        lines.append([name_row(row), *cells])
    return lines


def differ(networks: Networks, claim: Mapping[str, Any]) -> Difference | None:
    """As `compare_rates`, and for the measures ``bandwidth`` and ``center`` of the channels.

    Of those the draws of the images are the same for all networks; p is twice the smaller share of the draws
    on one side of 0.
    """
    name = claim["measure"]
    if name not in ("bandwidth", "center"):
        return compare_rates(networks, claim)
    pairs = paired(networks, claim)
    if pairs is None:
        return None
    values = np.array([[_channel(one)[name] for one in row] for row in pairs])
    if not np.isfinite(values).all():
        return None
    drawn = np.array([[_channel(one)["drawn"][name] for one in row] for row in pairs])
    seeds, draws = drawn.shape[1:]
    chosen = np.random.default_rng(0).integers(0, seeds, (seeds, draws))
    several = np.nanmean(np.take_along_axis(drawn[1] - drawn[0], chosen, axis=0), axis=0)
    several = several[np.isfinite(several)]
    low, high = np.percentile(several, (2.5, 97.5))
    least = min(np.sum(several <= 0), np.sum(several >= 0))
    p = min(1.0, 2 * float(least + 1) / (len(several) + 1))
    n = len(pairs[0][0].right["clean"])
    first, second = values.mean(axis=1).tolist()
    return Difference(first, second, float(low), float(high), p, seeds, n)


def _channel(outcomes: Outcomes) -> Mapping[str, Any]:
    return outcomes.note["channel"]


def _with_interval(channel: Mapping[str, Any], name: str) -> str:
    if np.isnan(channel[name]):
        return "-"
    low, high = np.nanpercentile(channel["drawn"][name], (2.5, 97.5))
    return f"{channel[name]:.1f} ({low:.1f} to {high:.1f})"
