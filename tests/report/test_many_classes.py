"""A page for a thousand classes: those at either end are shown, all are in a table, and it stays small."""

import numpy as np
import pytest

import keras_freq as kf
from keras_freq._report._record import LookedAt
from keras_freq._report._tables import make_tables
from keras_freq.shortcuts import ShortcutReport, dominant_frequency_map

pytestmark = [pytest.mark.once, pytest.mark.slow]

CLASSES, IMAGES = 1000, 12


def make_shortcuts(right):
    """The result of a test in which so many of the images of each class are recognized."""
    own = np.zeros((CLASSES, CLASSES), int)
    own[:, 0] = IMAGES - right
    own[np.arange(CLASSES), np.arange(CLASSES)] += right
    return ShortcutReport(
        model="standin",
        n=CLASSES * IMAGES,
        settings={},
        versions={},
        confusion=(),
        own_confusion=tuple(map(tuple, own.tolist())),
        clean_confusion=tuple(map(tuple, (IMAGES * np.eye(CLASSES, dtype=int)).tolist())),
        share=(0.05,) * CLASSES,
        method="given",
        others=False,
        count_per_class=(IMAGES,) * CLASSES,
        undefined=(0,) * CLASSES,
    )


@pytest.fixture(scope="module")
def report():
    generator = np.random.default_rng(0)
    maps = dominant_frequency_map(generator.random((CLASSES, 16, 16)), 0.05)
    right, disk = generator.integers(0, IMAGES, (2, CLASSES))
    right[[17, 400]] = IMAGES  # all images, of these two alone
    results = {"shortcuts": make_shortcuts(right), "disks": make_shortcuts(disk), "maps": maps}
    model = LookedAt(
        name="standin", digest="0" * 64, assumed={}, results={"shortcuts": results}, missing={}, seconds={}
    )
    return kf.Report(
        models=(model,),
        labels=np.arange(CLASSES * IMAGES) % CLASSES,
        classes=tuple(f"class {label}" for label in range(CLASSES)),
        pictures=np.zeros((8, 16, 16, 3), "uint8"),
        settings={"only": ("shortcuts",), "command": None},
        versions={},
    )


def test_the_classes_at_either_end_are_shown_and_all_are_in_the_table(report):
    ends, whole = make_tables(report)
    assert (len(ends.rows), ends.folded) == (40, False)
    assert (len(whole.rows), whole.folded) == (CLASSES, True)
    assert {row[1].text for row in ends.rows[:2]} == {"class 17", "class 400"}
    rates = [row[2].order for row in ends.rows]
    assert rates == sorted(rates, reverse=True)
    every = sorted((row[2].order for row in whole.rows), reverse=True)
    assert rates == every[:20] + every[-20:]
    assert len({row[1].text for row in ends.rows}) == 40


def test_the_page_is_small(report):
    page = report.to_html()
    assert len(page) < 5e6
    assert page.count("<details>") == 1
    assert page.count('class="enlarge"') == 5  # the rates, and four rows of ten maps
    assert "class 999<" in page


def test_few_classes_need_no_fold(classifier, images, labels):
    x, y = np.concatenate([images] * 12), np.tile(labels, 12)
    x = x * np.linspace(0.5, 1, len(x), dtype="float32")[:, None, None, None]
    page = kf.report(classifier, (x, y), only=("shortcuts",)).to_html()
    assert "<details>" not in page
    assert page.count('class="enlarge"') >= 2
