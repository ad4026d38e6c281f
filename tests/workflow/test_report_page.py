"""The page in a browser: headless Chromium, which CONTRIBUTING says how to install.

The page is that of results that no training made, see results_on_disk.
"""

import os
import shutil

import pytest
from results_on_disk import CLASSES, write_experiment

from fercv.report.page import render_page

WIDTHS = (1440, 800)
SECONDS = 300  # until a browser that waits is broken; the machine may be busy
CHROMIUM = shutil.which("chromium")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    """Chromium. Without it, or without playwright, the tests are skipped, or fail if FERCV_NEEDS_CHROMIUM is set."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing = "playwright is not installed, which requirements-dev.txt names"
    else:
        missing = "" if CHROMIUM else "Chromium is not installed, see CONTRIBUTING.md"
    if missing:
        (pytest.fail if "FERCV_NEEDS_CHROMIUM" in os.environ else pytest.skip)(missing)
    with sync_playwright() as playwright:
        # Chromium refuses to run as root with its sandbox.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=1000 * SECONDS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    experiment = write_experiment(tmp_path_factory.mktemp("browser") / "demo-page")
    path = experiment.folder / "report.html"
    path.write_text(render_page(experiment), encoding="utf-8")
    return path


@pytest.fixture(params=WIDTHS)
def page(browser, path, request):
    """The page, opened from the disk without a network. `page.said` has the console's lines and requests that leave."""
    page = browser.new_page(viewport={"width": request.param, "height": 900}, offline=True)
    page.set_default_timeout(1000 * SECONDS)
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda asked: None if is_own(asked.url, path) else page.said.append(asked.url))
    page.goto(path.as_uri())
    yield page
    page.close()


def is_own(url, path):
    return url.startswith("data:") or url.partition("#")[0] == path.as_uri()


def table(page, title):
    return page.locator(".table", has=page.get_by_role("heading", name=title, exact=True))


def column(part, place):
    """The texts of the first lines of a column's cells, of the rows that are shown."""
    cells = part.locator("tbody tr:visible").locator(f"td:nth-child({place})")
    return [text.split("\n")[0] for text in cells.all_inner_texts()]


def test_it_works_from_the_disk_without_error_request_or_overflow(page):
    broken = "[...document.images].filter(image => !image.naturalWidth).map(image => image.alt)"
    assert page.evaluate(broken) == []
    assert page.evaluate("document.images.length") > 25
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    # Only a wide table scrolls by itself, in a part that the keyboard reaches.
    outside = """[...document.querySelectorAll('body *')]
        .filter(one => !one.closest('.scroll table, .skip, .unseen'))
        .filter(one => one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 90))"""
    assert page.evaluate(outside) == []
    assert page.locator(".scroll:not([tabindex='0'])").count() == 0
    # With names that look like a script, and after everything has been used once.
    for button in page.locator("th button").all()[:9]:
        button.click()
    assert page.said == []


def test_the_keyboard_sorts_a_table(page):
    part = table(page, "Measures of each fold")
    head = part.locator("th", has_text="accuracy").first
    before = column(part, 3)
    assert head.get_attribute("aria-sort") == "none"
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(part, 3) == sorted(before, key=float) != before
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert column(part, 3) == sorted(before, key=float, reverse=True)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    sorts = [one.get_attribute("aria-sort") for one in part.locator("th").all()]
    assert (sorts.count("ascending"), sorts.count("descending")) == (1, 0)


def test_numbers_are_sorted_by_their_values_and_gaps_come_last(page):
    part = table(page, "Models, and differences between models")
    button = part.locator("th button", has_text="p adjusted")
    place = 7
    for _ in range(2):
        button.click()
        assert column(part, place)[2:] == ["", ""]
    assert column(part, place)[:2] == ["0.400", "2.5e-05"]


def test_the_filter_keeps_the_rows_with_all_words_and_says_how_many(page):
    part = table(page, "All mistakes")
    assert part.locator("tbody tr:visible").count() == 14
    part.get_by_label("Filter").fill("cnn SAD")
    assert set(column(part, 1)) == {"cnn"} and set(column(part, 4)) == {"sad"}
    assert part.locator("output").inner_text() == "11 of 14 rows"
    part.get_by_label("Filter").fill("")
    assert part.locator("output").inner_text() == ""
    # A short table has no filter.
    assert not table(page, "Key figures").get_by_label("Filter").is_visible()


def test_one_model_can_be_shown_alone(page):
    page.get_by_role("radio", name="fc").check()
    assert page.locator("figure[data-model=cnn]:visible").count() == 0
    assert page.locator("figure[data-model=fc]:visible").count() == 7
    assert page.locator("figure:not([data-model]):visible").count() == 4
    assert set(column(table(page, "All mistakes"), 1)) == {"fc"}
    page.get_by_role("radio", name="all models").check()
    assert page.locator("figure[data-model=cnn]:visible").count() == 10


def test_the_keyboard_reaches_the_results_and_the_contents_say_where_one_is(page):
    focused = page.locator(":focus")
    page.keyboard.press("Tab")
    assert focused.text_content() == "To the results"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert focused.get_attribute("href") == "#data"
    page.keyboard.press("Enter")
    # The browser tells of the new address after the key has been pressed.
    page.wait_for_url("**/report.html#data")
    page.locator("nav [aria-current]", has_text="Data").wait_for()


def test_on_paper_whole_tables_and_no_buttons(page):
    page.emulate_media(media="print")
    assert page.locator(".tools:visible, fieldset:visible").count() == 0
    cut = "[...document.querySelectorAll('.scroll')].filter(one => one.scrollHeight > one.clientHeight + 1).length"
    assert page.evaluate(cut) == 0
    # Where a table goes on, Chromium repeats no boxes that are in the headings.
    assert set(page.locator("th button").evaluate_all("all => all.map(one => getComputedStyle(one).display)")) == {
        "contents"
    }


def test_without_scripts_everything_is_shown(browser, path):
    page = browser.new_page(viewport={"width": 800, "height": 900}, java_script_enabled=False)
    page.goto(path.as_uri(), timeout=1000 * SECONDS)
    assert page.locator("figure:visible").count() == 21
    assert page.get_by_text(CLASSES[0]).first.is_visible()
    assert page.locator("fieldset:visible, .tools:visible").count() == 0
    page.close()
