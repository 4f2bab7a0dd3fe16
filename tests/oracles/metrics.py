"""Detection and calibration metrics straight from their definitions, pair by pair and bin by bin."""

import math


def auroc(inside, outside):
    wins = sum((a > b) + 0.5 * (a == b) for a in inside for b in outside)
    return wins / (len(inside) * len(outside))


def tnr(inside, outside, tpr=0.95):
    """True negative rate at the highest score that keeps at least `tpr`."""
    for threshold in sorted(set(inside), reverse=True):
        if sum(a >= threshold for a in inside) >= tpr * len(inside) - 1e-9:
            return sum(b < threshold for b in outside) / len(outside)
    raise AssertionError


def detection_accuracy(inside, outside):
    thresholds = [*inside, *outside, math.inf]
    return max(
        (sum(a >= t for a in inside) / len(inside) + 1 - sum(b >= t for b in outside) / len(outside)) / 2
        for t in thresholds
    )


def average_precision(positives, negatives):
    total, recall = 0.0, 0.0
    for threshold in sorted({*positives, *negatives}, reverse=True):
        true = sum(a >= threshold for a in positives)
        false = sum(b >= threshold for b in negatives)
        total += (true / len(positives) - recall) * true / (true + false)
        recall = true / len(positives)
    return total


def quantile_edges(confidences, bins):
    """Edge b: the smallest confidence that at least b / bins of all do not exceed."""
    edges = [0.0]
    for b in range(1, bins):
        edges.append(
            next(
                c
                for c in sorted(confidences)
                if sum(other <= c for other in confidences) * bins >= b * len(confidences)
            )
        )
    return [*edges, 1.0]


def calibration(confidences, correct, edges):
    """ECE, RMS and MCE over bins `edges[b] < c <= edges[b + 1]`, and the counts."""
    ece = rms = mce = 0.0
    counts = []
    for b in range(len(edges) - 1):
        inside = [
            k
            for k, c in enumerate(confidences)
            if (edges[b] < c or (b == 0 and c == edges[0])) and c <= edges[b + 1]
        ]
        counts.append(len(inside))
        if inside:
            accuracy = sum(correct[k] for k in inside) / len(inside)
            confidence = sum(confidences[k] for k in inside) / len(inside)
            gap, weight = abs(accuracy - confidence), len(inside) / len(confidences)
            ece, rms, mce = ece + weight * gap, rms + weight * gap**2, max(mce, gap)
    return {"ece": ece, "rms": math.sqrt(rms), "mce": mce}, counts
