"""How the guide is built: `make docs`."""

import inspect
import os
import re
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from docutils import nodes  # noqa: E402
from sphinx.addnodes import pending_xref  # noqa: E402

import keras_freq as kf  # noqa: E402

project = "keras_freq"
author = "The keras_freq authors"
copyright = author
version = release = kf.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# Each page of `api/` lists the `__all__` of one part. Types stand in the text under Args and Returns.
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    # Ours alone: not those of Keras, and those of all results once.
    "inherited-members": "Layer, Operation, Model, Trainer, Callback, PyDataset, Result, Record",
}
autodoc_inherit_docstrings = False
autodoc_typehints = "none"
autoclass_content = "class"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Source", ("Call arguments", "params_style"), "Input shape", "Output shape"]
default_role = "literal"
nitpicky = True
# Of other libraries: nothing is fetched, so that they are names without a link.
nitpick_ignore_regex = [("py:class", r"(numpy|collections|keras|matplotlib)\..*")]
maximum_signature_line_length = 90
add_module_names = False

html_theme = "furo"
html_title = f"keras_freq {release}"
html_show_sourcelink = False
html_show_copyright = False
html_copy_source = False

# `kf.part.name`, `keras_freq.part.name` and `part.name` are links, in pages and docstrings alike.
FUNCTIONS = ("report", "to_logits")
PARTS = [name for name in kf.__all__ if name.islower() and name not in FUNCTIONS]
PUBLIC = re.compile(
    rf"(?:(?:kf|keras_freq)\.)?((?:{'|'.join(PARTS)})\.\w+|APRModel|Classifier|Report|report|to_logits)(?:\(\))?"
)


def is_public(text: str, name: str) -> bool:
    """With `kf.` in front it must be; `data.data_dir`, without, is a setting of an app."""
    part, _, rest = name.partition(".")
    return text.startswith(("kf.", "keras_freq.")) or not rest or rest in getattr(kf, part).__all__


def link_public_names(app, doctree):
    """Nitpicky Sphinx then refuses a page that names what is not there."""
    for literal in list(doctree.findall(nodes.literal)):
        text = literal.astext()
        found = PUBLIC.fullmatch(text)
        if found is None or isinstance(literal.parent, nodes.reference) or not is_public(text, found[1]):
            continue
        target = f"keras_freq.{'training.APRModel' if found[1] == 'APRModel' else found[1]}"
        link = pending_xref(
            "", refdomain="py", reftype="obj", reftarget=target, refdoc=app.env.docname, refexplicit=True
        )
        literal.replace_self(link)
        link += literal


def show_own_arguments(app, what, name, kind, options, signature, returns):
    """Keras' layers and models would show the arguments of their `__new__`, which are none."""
    if what != "class":
        return None
    arguments = list(inspect.signature(kind.__init__).parameters.values())[1:]
    plain = [one.replace(annotation=inspect.Parameter.empty) for one in arguments]
    return str(inspect.Signature(plain)), returns


def setup(app):
    app.connect("autodoc-process-signature", show_own_arguments)
    app.connect("doctree-read", link_public_names)
