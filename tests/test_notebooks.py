"""The notebooks of the guide: the blocks of their pages, run, small, and without a trace of a machine."""

import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SAVED = re.compile(r'^(kf\.plots\..*)\.savefig\("\w+\.png"\)$', re.MULTILINE)
PAGES = ("which_frequencies", "does_it_cheat", "train_it_not_to")


def test_these_pages_have_a_notebook():
    assert {path.stem for path in (DOCS / "notebooks").glob("*.ipynb")} == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_a_notebook_holds_the_blocks_of_its_page_and_what_they_print(page):
    path = DOCS / "notebooks" / f"{page}.ipynb"
    assert path.stat().st_size < 400_000
    cells = json.loads(path.read_text("utf-8"))["cells"]
    blocks = [cell for cell in cells if cell["cell_type"] == "code"]
    shown, saved = SAVED.subn(r"display(\1)", (DOCS / f"{page}.md").read_text("utf-8"))
    assert ["".join(cell["source"]) for cell in blocks] == [
        block.rstrip("\n") for block in BLOCK.findall(shown)
    ]
    assert [cell["execution_count"] for cell in blocks] == [*range(1, len(blocks) + 1)]
    outputs = [output for cell in blocks for output in cell["outputs"]]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == saved > 0
    assert not any(output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs)
    for output in outputs:
        output.get("data", {}).pop("image/png", None)
    told = json.dumps(outputs)
    assert not re.search(r"/(home|root|work|tmp|Users|usr)/", told)
    titles = re.findall(r"^#+ .*", (DOCS / f"{page}.md").read_text("utf-8"), re.MULTILINE)
    text = "".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "markdown")
    assert re.findall(r"^#+ .*", text, re.MULTILINE) == titles


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_notebook_lead_to_files(page):
    text = (DOCS / "notebooks" / f"{page}.ipynb").read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if not link.startswith("http")]
    assert links
    for link in links:
        assert (DOCS / "notebooks" / link).exists(), link
