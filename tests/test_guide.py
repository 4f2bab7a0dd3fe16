"""The pages of the guide: every block of Python runs as it is written, on fewer images."""

import doctest
import re
import warnings
from pathlib import Path

import pytest

import keras_freq as kf

# Every page in one process: what TensorFlow compiles and what is loaded serves them all.
pytestmark = [pytest.mark.slow, pytest.mark.once]
DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = {
    str(page.relative_to(DOCS)): blocks
    for page in sorted(DOCS.rglob("*.md"))
    if "_build" not in page.parts and (blocks := BLOCK.findall(page.read_text()))
}
# What the pages ask for, and what is enough to see that they run.
FEWER = {
    "n=200": "n=4",
    "n=500": "n=4",
    "limit=1000": "limit=16",
    "patch=2": "patch=8",
    "epochs=5": "epochs=1",
    "epochs=8": "epochs=1",
    "severities=(3,)": "severities=(3,), progress=False",
}
PICTURES = sorted((DOCS / "figures").glob("*.png"))


def run(block: str, names: dict, page: str) -> None:
    """A program, or a session of `>>>` whose answers must be those that are written."""
    if not block.startswith(">>>"):
        exec(compile(block, page, "exec"), names)
        return
    told = []
    example = doctest.DocTestParser().get_doctest(block, names, page, page, 0)
    doctest.DocTestRunner(verbose=False).run(example, out=told.append, clear_globs=False)
    names.update(example.globs)
    assert not told, "".join(told)


@pytest.mark.parametrize("page", PAGES)
def test_page(page, tmp_path, monkeypatch):
    whole = kf.data.load

    def load(name, **options):
        data = whole(name, **options)
        if name != "cifar10_mini":
            return data
        parts = {split: data.arrays(split, limit=96) for split in ("train", "test")}
        kf.data.write_npz(tmp_path / "fewer.npz", classes=data.classes, overwrite=True, **parts)
        return whole(tmp_path / "fewer.npz", **options)

    monkeypatch.setattr(kf.data, "load", load)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": page}
    with warnings.catch_warnings():
        for block in PAGES[page]:
            for asked, enough in FEWER.items():
                block = block.replace(asked, enough)
            run(block, names, page)


def test_the_pages_that_hold_programs_are_these():
    """A page whose blocks are no longer found would pass without a word."""
    tutorials = {"which_frequencies.md", "does_it_cheat.md", "train_it_not_to.md"}
    assert tutorials | {"concepts.md", "your_model.md", "your_data.md", "backends.md"} <= set(PAGES)
    assert len(PAGES["concepts.md"]) >= 7


def test_every_picture_is_small_and_shown():
    pages = "".join(page.read_text() for page in DOCS.rglob("*.md")) + (DOCS.parent / "README.md").read_text()
    assert len(PICTURES) >= 14
    for picture in PICTURES:
        assert picture.stat().st_size < 100_000, picture.name
        assert f"figures/{picture.name}" in pages
    shown = set(re.findall(r"(?<!apps)[/(]figures/(\w+\.png)", re.sub(r"apps/\w+/figures", "", pages)))
    assert shown <= {picture.name for picture in PICTURES}
