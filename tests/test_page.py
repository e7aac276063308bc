"""The page in a real browser without a network: it draws, sorts, switches and shows code, and nothing breaks out."""

import json
import os
import re
import shutil
import time
from html.parser import HTMLParser

import pytest
from playwright.sync_api import sync_playwright
from report_fixtures import HOSTILE, SOURCES, cifar, example, hostile, mnist

from rosetta.report.page import render_page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("the continuous integration must have a Chromium for these tests")
        pytest.skip("needs Chromium or Chrome on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Open a rendered page offline; at the end assert that it asked for nothing and complained of nothing."""
    seen = []
    contexts = []

    def open_page(html, **context):
        file = tmp_path / "report.html"
        file.write_text(html, encoding="utf-8")
        contexts.append(browser.new_context(offline=True, **context))
        page = contexts[-1].new_page()
        page.on("console", lambda message: seen.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("request", lambda request: seen.append(request.url) if request.url.startswith("http") else None)
        page.goto(file.as_uri())
        page.wait_for_selector(".plot .main-svg")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert seen == []


@pytest.fixture(scope="module")
def html():
    return render_page(example(), SOURCES)


def until(page, condition):
    """Wait for a condition; the page's policy forbids the eval that Playwright's own waiting needs."""
    deadline = time.monotonic() + 10
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)


def names(page):
    return page.locator("#workload-1 .results tbody .name").all_inner_texts()


def test_it_draws_all_figures_and_shows_every_contender(opened, html):
    page = opened(html)
    assert page.locator(".plot").count() == 8
    assert page.locator(".plot > .plot-container").count() == 8
    first = page.locator("#workload-1")
    text = first.inner_text()
    for words in ("0.98×", "(0.95–1.01)", "tie", "killed by SIGSEGV while compiling", "no wheel for Python 3.11"):
        assert words in text
    assert "✗ 3.1e-02" in first.locator(".proof").inner_text()
    assert "ε is added inside the square root" in text
    assert "SYNTHETIC DATA" not in text
    second = page.locator("#workload-2")
    assert "SYNTHETIC DATA" in second.locator("h2").inner_text()
    assert second.locator("figure .badge.synthetic").count() == 4
    assert "bfloat16" in second.locator(".results .fastest").inner_text()
    assert "rosetta run cifar10_cnn mnist_mlp --seed 1" in page.locator("#how").inner_text()


def test_a_header_sorts_and_sorts_back(opened, html):
    page = opened(html)
    assert names(page) == ["tensorflow", "torch[channels_last]", "torch", "keras[jax]"]
    header = page.locator("#workload-1 .results thead th", has_text="samples/s")
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert names(page) == ["keras[jax]", "torch", "torch[channels_last]", "tensorflow"]
    assert page.locator("#workload-1 .results tbody tr").first.locator("td").nth(2).inner_text() == "98.3"
    header.get_by_role("button").click()
    assert names(page)[0] == "tensorflow"
    page.locator("#workload-1 .results thead th", has_text="import").get_by_role("button").click()
    assert names(page)[-1] == "tensorflow"


def test_cells_without_a_value_stay_last(opened):
    contenders = list(cifar().contenders)
    contenders[1] = contenders[1].model_copy(update={"peak_memory_bytes": None})
    page = opened(render_page(example([cifar().model_copy(update={"contenders": contenders})]), {}))
    button = page.locator(".results thead th", has_text="memory").get_by_role("button")
    for _ in range(2):
        button.click()
        assert names(page)[-1] == "tensorflow"


def test_the_switch_changes_samples_into_seconds_and_keeps_hidden_contenders_hidden(opened, html):
    page = opened(html)
    plot = "document.querySelector('#workload-1 .learning .plot')"
    tensorflow = cifar().contenders[1]
    chunk = tensorflow.chunks[0]
    assert page.evaluate(f"{plot}.data[0].x[0]") == chunk.trained_samples
    page.locator("#workload-1 .learning .legendtoggle").first.click()
    until(page, f"{plot}.data[0].visible === 'legendonly' && {plot}.data[1].visible === 'legendonly'")
    page.locator("#workload-1 .learning").get_by_role("button", name="by seconds").click()
    assert page.evaluate(f"{plot}.data[0].x[0]") == pytest.approx(chunk.trained_seconds)
    assert page.evaluate(f"{plot}.data[1].x[0]") == pytest.approx(tensorflow.accuracies[0].trained_seconds)
    assert page.evaluate(f"{plot}.layout.xaxis.title.text") == "seconds trained"
    assert page.evaluate(f"{plot}.data.map(trace => trace.visible)")[:3] == ["legendonly", "legendonly", True]
    page.locator("#workload-1 .learning").get_by_role("button", name="by samples").click()
    assert page.evaluate(f"{plot}.data[0].x[0]") == chunk.trained_samples


def test_another_implementation_can_be_chosen(opened, html):
    page = opened(html)
    panes = page.locator("#workload-1 .pane")
    assert panes.nth(0).locator("select").input_value() == "numpy"
    assert panes.nth(1).locator("select").input_value() == "tensorflow"
    assert "np.maximum(x, 0)  # < & >" in panes.nth(0).locator("pre").inner_text()
    panes.nth(0).locator("select").select_option("torch")
    assert panes.nth(0).locator("pre").inner_text().rstrip() == SOURCES["cifar10_cnn"]["torch"].rstrip()
    assert panes.nth(0).locator("pre .k").first.inner_text() == "class"
    assert "import tensorflow" in panes.nth(1).locator("pre").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_while_the_page_is_open(opened, html, scheme):
    page = opened(html, color_scheme=scheme)
    colour = "document.querySelector('#workload-1 .ratio .plot').data[0].marker.line.color"
    before = page.evaluate(colour)
    assert before == page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--accent').trim()")
    page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    until(page, f"{colour} !== '{before}'")


@pytest.mark.parametrize("width", [900, 1600])
def test_it_never_scrolls_sideways(opened, html, width):
    page = opened(html, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    table = page.locator("#workload-1 .scroll").first
    assert table.evaluate("element => element.scrollWidth - element.clientWidth") == 0


def test_hostile_text_is_shown_and_does_nothing(opened):
    sources = {"cifar10_cnn": {HOSTILE: HOSTILE, "torch": f"# {HOSTILE}\n"}}
    page = opened(render_page(hostile(), sources))
    assert page.title().startswith("Rosetta")
    assert page.locator("body b").count() == 0
    assert page.locator("script:not([type])").count() == 2
    visible = HOSTILE.split("\x1b")[0].strip()
    assert visible in " ".join(page.locator(".results tbody").inner_text().split())
    assert visible in " ".join(page.locator(".unranked").inner_text().split())
    page.locator(".pane select").first.select_option("torch")
    assert "</script><script>" in page.locator(".pane pre").first.inner_text()


def test_data_in_scripts_cannot_end_them():
    blocks = re.findall(r'<script type="application/json">(.*?)</script>', render_page(hostile(), {}), re.DOTALL)
    assert len(blocks) == 4
    assert all("<" not in block and json.loads(block)["data"] for block in blocks)


def test_the_policy_stops_a_script_that_is_not_the_pages_own(browser, tmp_path, html):
    file = tmp_path / "changed.html"
    file.write_text(html.replace("</main>", "<script>document.title = 'changed'</script></main>"), encoding="utf-8")
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        page.goto(file.as_uri())
        assert page.title() == "Rosetta – 2026-01-31-quiet-otter"
        blocked = page.evaluate("fetch('data:,x').then(() => false, () => true)")
        assert blocked


class _References(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("src", "href", "srcset", "action", "data")]


def test_the_page_refers_to_nothing_outside_itself(html):
    parser = _References()
    parser.feed(html)
    assert parser.found
    assert all(re.match(r"#|data:", reference) for reference in parser.found)
    assert not re.search(r"@import|url\(", html.split("<style>")[1].split("</style>")[0])


def test_a_run_without_a_ranked_contender_still_has_a_page(opened):
    empty = cifar().model_copy(update={"contenders": cifar().contenders[5:]})
    html = render_page(example([empty, mnist()], complete=False), {})
    page = opened(html)
    assert "No contender could be ranked." in page.locator("#workload-1").inner_text()
    assert "This run is not complete" in page.locator("header").inner_text()


def test_a_hundred_thousand_chunks_take_seconds_and_the_page_says_what_it_left_out(opened):
    result = example([cifar(rounds=6250)])
    assert sum(len(contender.chunks) for contender in result.results[0].contenders) == 100_000
    render_page(example(), {})
    start = time.perf_counter()
    html = render_page(result, {})
    assert time.perf_counter() - start < 4
    page = opened(html)
    note = page.locator(".chunks figcaption p").inner_text()
    drawn = page.evaluate("document.querySelector('.chunks .plot').data.reduce((n, trace) => n + trace.x.length, 0)")
    assert f"{100_000 - drawn:,} of 100,000 chunks are left out here; result.json has them all." in note
