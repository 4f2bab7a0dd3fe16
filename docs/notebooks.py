"""Makes the notebooks of the guide from its pages and runs them: `python docs/notebooks.py [PAGE ...]`.

From the root of a checkout, with the extras `tensorflow` and `notebooks`; they take about ten minutes on
two CPU cores. The text and the blocks are those of the pages, which stay the only source;
figures, which a page saves, are shown here.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

DOCS = Path(__file__).parent
PAGES = ("which_frequencies", "does_it_cheat", "train_it_not_to")
NOTE = re.compile(r"^```\{note\}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SAVED = re.compile(r'^(kf\.plots\..*)\.savefig\("\w+\.png"\)$', re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)")


def convert(page: str) -> nbformat.NotebookNode:
    """The notebook of a page: links lead one folder up, notes are quotations, saved figures are shown."""
    text = LINK.sub("](../", (DOCS / f"{page}.md").read_text("utf-8"))
    text = NOTE.sub(lambda note: "".join(f"> {line}\n" for line in note[1].splitlines()), text)
    text = SAVED.sub(r"display(\1)", text)
    book = jupytext.reads(text, fmt="md")
    book.metadata = nbformat.from_dict(
        {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(book.cells):
        cell.id, cell.metadata = f"{page}-{number}".replace("_", "-"), nbformat.from_dict({})
    return book


def execute(book: nbformat.NotebookNode) -> None:
    """Runs it in an empty folder; what is printed stays, without the notices on stderr."""
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", MPLBACKEND="Agg")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(DOCS.parent), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(book, timeout=None, resources={"metadata": {"path": folder}})
        client.execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)  # times differ at every run
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]


def main(pages: list[str]) -> int:
    unknown = [page for page in pages if page not in PAGES]
    if unknown:
        print(f"Pages are: {', '.join(PAGES)}. Received: {unknown[0]}", file=sys.stderr)
        return 2
    (DOCS / "notebooks").mkdir(exist_ok=True)
    for page in pages or PAGES:
        book = convert(page)
        execute(book)
        path = DOCS / "notebooks" / f"{page}.ipynb"
        nbformat.write(book, path)
        print(f"{path.relative_to(DOCS.parent)}: {path.stat().st_size / 1000:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
