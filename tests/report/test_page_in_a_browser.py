"""The page as a browser shows it: nothing is fetched, tables sort, figures enlarge."""

import itertools
import shutil

import keras
import numpy as np
import pytest

import keras_freq as kf

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """A page of two models with hostile names, and so many classes that a table is long."""
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    images = generator.random((600, 16, 16, 3), dtype="float32")
    labels = (np.arange(600) % 20).astype("int32")
    model, other = (
        keras.Sequential(
            [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(20)], name=name
        )
        for name in ("first", "second")
    )
    names = ["<script>alert(1)</script>", "n[/x]", "a very long name of a class " * 4, *map(str, range(17))]
    folder = tmp_path_factory.mktemp("report")
    only = ("bands", "heat_map", "swap", "cue_conflict", "critical_band", "shortcuts", "sufficient_maps")
    options = {"only": (*only, "attacks"), "classes": names}
    kf.report(model, (images, labels), against={"<b>second</b>": other}, to=folder, **options)
    return folder / "index.html"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, page_file):
    """Opens the page; the console and the requests are looked at when the test is done."""
    contexts, said, asked = [], [], []

    def open_page(width=1280, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not said
    assert {url for url in asked if not url.startswith("data:")} == {page_file.as_uri()}


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_width_and_scheme(visit, width, scheme):
    page = visit(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)")
    broken = "[...document.images].filter((one) => one.src && !one.naturalWidth).length"
    assert page.evaluate(broken) == 0


def test_tables_sort_and_filter(visit):
    page = visit()
    column = "#attacks tbody td:nth-child(2)"
    button = page.locator("#attacks th button").nth(1)
    for direction, order in (("ascending", 1), ("descending", -1)):
        button.click()
        assert page.locator("#attacks th").nth(1).get_attribute("aria-sort") == direction
        shown = [float(text) for text in page.locator(column).all_inner_texts()]
        assert shown == sorted(shown)[::order]
    rows = page.locator("#shortcuts tbody tr:visible")
    assert rows.count() == 40
    page.locator("#shortcuts input").fill("n[/x]")
    assert rows.count() == 2


def test_figures_enlarge_by_keyboard_and_close(visit):
    page = visit()
    page.locator("#bands button.enlarge").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("dialog").is_visible()
    assert page.locator("dialog img").get_attribute("alt")
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()


def test_hostile_names_stand_there_as_text(visit):
    page = visit()
    assert page.get_by_text("<script>alert(1)</script>").count() > 0
    assert page.get_by_text("beside <b>second</b>").count() == 1
    assert page.locator("script").count() == 1


def test_headings_descend_and_pictures_have_texts(visit):
    page = visit()
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.evaluate("[...document.querySelectorAll('figure img')].every((one) => one.alt.length > 20)")


def test_it_prints(visit, tmp_path):
    page = visit()
    page.pdf(path=tmp_path / "page.pdf", format="A4")
    assert (tmp_path / "page.pdf").stat().st_size > 20_000
