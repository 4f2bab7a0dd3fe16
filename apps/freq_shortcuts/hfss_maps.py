"""The searches that are compared, and the maps that they give."""

from __future__ import annotations

import time

import keras
import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Compare
from apps.lab import Run

LABELS = {"hfss": "HFSS", "exact": "exact ranking", "hybrid": "hybrid", "gradient": "gradient"}
SAME = "share of HFSS"


def kept(config: Compare) -> list[tuple[str, str]]:
    """Every method with what its maps keep: as much as HFSS, or a share of the bins."""
    pairs = []
    for method in config.methods:
        if method == "hfss":
            pairs.append((method, SAME))
            continue
        if "hfss" in config.methods:
            pairs.append((method, SAME))
        pairs += [(method, f"{fraction:g}") for fraction in config.fractions]
    return pairs


def kept_by(config: Compare, method: str) -> str:
    return next(cut for name, cut in kept(config) if name == method)


def found(
    run: Run, config: Compare, model: keras.Model, method: str, search: tuple, seed: int
) -> dict[str, np.ndarray]:
    """Masks of HFSS or importance of a ranking, `values` `(classes, height, width)`, and what they cost."""
    checkpoint = run.checkpoint(f"search/{method}/seed{seed}").with_suffix(".jsonl")
    checkpoint.parent.mkdir(parents=True, exist_ok=True)

    def compute() -> dict[str, np.ndarray]:
        run.say(f"{LABELS[method]}, seed {seed}: {len(search[1])} search images")
        unbroken, start = not checkpoint.exists(), time.perf_counter()
        if method == "hfss":
            stages = config.stages
            result = kf.shortcuts.hfss(
                model,
                *search,
                patches=stages.patches,
                budgets=stages.budgets,
                share=stages.share,
                top=stages.top,
                grid=stages.grid,
                mirror=stages.mirror,
                seed=seed,
                checkpoint=checkpoint,
            )
            maps, forwards, digests = result.maps.masks, result.forwards, result.maps.found_on
            correlation = np.nan
        else:
            result = kf.shortcuts.frequency_importance(
                model,
                *search,
                patch=config.search.patch,
                method=method,
                mirror=config.search.mirror,
                seed=seed,
                checkpoint=checkpoint,
            )
            # What the maps need: the images as they are, with a backward pass for the gradient, and every
            # group measured. The comparison with exact values is left out.
            forwards = result.n * (1 + result.measured + (method != "exact"))
            maps, digests = result.maps, result.found_on
            correlation = np.nanmean(result.rank_correlation) if result.rank_correlation else np.nan
        # A search that went on after a kill took longer than can be told.
        minutes = (time.perf_counter() - start) / 60 if unbroken else np.nan
        return {
            "values": maps,
            "digests": np.frombuffer(b"".join(sorted(digests)), "uint8").reshape(len(digests), -1),
            "forwards": np.int64(forwards),
            "minutes": np.float64(minutes),
            "correlation": np.float64(correlation),
        }

    stored = run.arrays(f"search/{method}/seed{seed}", compute)
    record = {"method": method, "seed": seed, "n": len(search[1]), "seconds": 0.0}
    minutes = float(stored["minutes"])
    rows = [{**record, "measure": "forwards", "value": int(stored["forwards"])}]
    if np.isfinite(minutes):
        rows.append({**record, "measure": "minutes", "value": minutes, "seconds": 60 * minutes})
    if np.isfinite(stored["correlation"]):
        rows.append({**record, "measure": "rank correlation", "value": float(stored["correlation"])})
    run.measure(f"{method}/search/seed{seed}", lambda: rows)
    return stored


def maps(searched: dict, method: str, cut: str, seed: int, *, dc: str = "rank") -> kf.shortcuts.FrequencyMaps:
    """The maps of a method: those of HFSS, or the top of a ranking."""
    stored = searched[method, seed]
    scores = stored["values"]
    digests = frozenset(row.tobytes() for row in stored["digests"])
    if method == "hfss":
        return kf.shortcuts.FrequencyMaps(scores, method, digests)
    if cut == SAME:
        bins = np.round(searched["hfss", seed]["values"].sum(axis=(1, 2), dtype="float64"))
        # Half a bin more, so that rounding down gives the same number.
        shares = np.where(bins > 0, np.minimum((bins + 0.5) / scores[0].size, 1), 0)
    else:
        shares = np.full(len(scores), float(cut))
    masks = [
        kf.shortcuts.dominant_frequency_map(scores[c : c + 1], share, ties="exact", dc=dc).masks[0]
        if share > 0
        else np.zeros(scores.shape[1:], "float32")
        for c, share in enumerate(shares)
    ]
    return kf.shortcuts.FrequencyMaps(np.stack(masks), method, digests)
