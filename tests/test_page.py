"""The page in a real browser without a network: it draws, sorts, switches and shows code, and nothing breaks out."""

import json
import os
import re
import shutil
import time
from html.parser import HTMLParser

import pytest
from playwright.sync_api import sync_playwright
from report_fixtures import (
    HOSTILE,
    NOTE,
    SOURCES,
    cifar,
    everything,
    example,
    hostile,
    mnist,
    not_fastest,
    published_protocol,
)

from rosetta.report.page import render_page
from rosetta.report.ratios import interval_words

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

    def open_page(html, drawn=True, **context):
        file = tmp_path / "report.html"
        file.write_text(html, encoding="utf-8")
        contexts.append(browser.new_context(offline=True, **context))
        page = contexts[-1].new_page()
        page.on("console", lambda message: seen.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("request", lambda request: seen.append(request.url) if request.url.startswith("http") else None)
        page.goto(file.as_uri())
        if drawn:
            until(page, "[...document.querySelectorAll('.plot')].every(plot => plot.querySelector('.main-svg'))")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert seen == []


@pytest.fixture(scope="module")
def html():
    return render_page(example(), SOURCES)


@pytest.fixture(scope="module")
def whole():
    return everything()


@pytest.fixture(scope="module")
def whole_html(whole):
    return render_page(whole, SOURCES)


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


# ---------------------------------------------------------------- the matrix of a run of many workloads


def section_of(page, workload):
    return page.locator(f'.workload[data-workload="{workload}"]')


def workload_order(page):
    return page.locator(".matrix tbody tr:visible th .name").all_inner_texts()


def contender_order(page):
    return page.locator(".matrix thead .name:visible").all_inner_texts()


def cell(page, workload, contender):
    row = page.locator(".matrix tbody tr", has=page.get_by_role("button", name=workload, exact=True))
    column = page.locator(".matrix thead th", has=page.get_by_role("button", name=contender, exact=True))
    return row.locator(f'td[data-column="{column.get_attribute("data-column")}"]')


def found(result, workload, contender):
    contenders = next(w for w in result.results if w.workload == workload).contenders
    return next(c for c in contenders if c.name == contender)


def test_a_run_of_two_workloads_begins_with_a_sentence_each(html):
    assert 'class="matrix"' not in html and "At a glance" in html


def test_a_run_of_many_workloads_begins_with_a_matrix(opened, whole, whole_html):
    page = opened(whole_html, drawn=False, viewport={"width": 1400, "height": 900})
    assert page.locator(".glance").count() == 0
    assert workload_order(page) == [w.workload for w in whole.results]
    assert contender_order(page) == [c.name for c in whole.results[0].contenders]
    for workload in whole.results:
        for contender in workload.contenders:
            shown = " ".join(cell(page, workload.workload, contender.name).inner_text().split())
            if contender.status != "ok":
                assert shown in ("not the same network", "failed", "no implementation", "unavailable")
            elif contender.ratio.to == contender.name:
                tie = any(c.ratio and c.ratio.tie for c in workload.contenders)
                assert shown.startswith("1.00× tie" if tie else "1.00× fastest") and "/s" in shown
            else:
                assert shown.startswith(f"{contender.ratio.value:.2f}×" if contender.ratio.value >= 0.1 else "0.0")
                assert (" tie " in shown) == contender.ratio.tie
                assert ("accuracy differs" in shown) == contender.accuracy_differs
    badges = page.locator(".matrix .badge.synthetic")
    assert badges.count() == 1 and badges.inner_text() == "SYNTHETIC DATA"
    link = page.locator(".matrix tbody a").nth(2)
    assert page.locator(link.get_attribute("href")).get_attribute("data-workload") == whole.results[2].workload
    assert "50 of 54 pairs measured" in page.locator(".overview .summary").inner_text()


@pytest.mark.long
def test_the_fastest_cells_are_the_strongest_and_text_stands_out_in_light_and_dark(opened, whole_html):
    luminance = """element => {
        const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        const of = colour => {
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
            const linear = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)
                .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        };
        const style = getComputedStyle(element);
        return [of(style.backgroundColor), of(style.color)];
    }"""
    for scheme in ("light", "dark"):
        page = opened(whole_html, drawn=False, color_scheme=scheme)
        by_shade = sorted(
            (float(c.get_attribute("style").split(":")[1]), c.evaluate(luminance))
            for c in page.locator(".matrix .speed").all()
        )
        backgrounds = [background for _, (background, _) in by_shade]
        assert backgrounds == sorted(backgrounds, reverse=scheme == "light")
        for _, pair in by_shade:
            assert (max(pair) + 0.05) / (min(pair) + 0.05) > 4.5


def test_rows_and_columns_can_be_hidden_and_shown_again(opened, whole_html):
    page = opened(whole_html, drawn=False)
    contenders, workloads = contender_order(page), workload_order(page)
    page.get_by_label("jax", exact=True).uncheck()
    page.get_by_label("mnist_mlp", exact=True).uncheck()
    assert contender_order(page) == [name for name in contenders if name != "jax"]
    assert workload_order(page) == [name for name in workloads if name != "mnist_mlp"]
    assert page.locator(".matrix tbody td:visible").count() == 5 * 8
    group = page.locator("[data-filter=column]")
    group.get_by_role("button", name="all").click()
    assert contender_order(page) == contenders
    group.get_by_role("button", name="none").click()
    assert contender_order(page) == []
    page.get_by_label("torch", exact=True).check()
    assert contender_order(page) == ["torch"]
    assert "mnist_mlp" not in workload_order(page)


def test_a_contender_sorts_the_workloads_and_a_workload_the_contenders(opened, whole, whole_html):
    page = opened(whole_html, drawn=False)
    contenders, workloads = contender_order(page), workload_order(page)
    restore = page.get_by_role("button", name="Restore the order")
    assert restore.is_disabled()

    def speeds(pairs):
        shown = [found(whole, *pair) for pair in pairs]
        return [c.ratio.value for c in shown if c.ratio], [c.status == "ok" for c in shown]

    absent = next(c.name for w in whole.results if w.workload == "mnist_cnn" for c in w.contenders if c.status != "ok")
    header = page.locator(".matrix thead th", has=page.get_by_role("button", name=absent, exact=True))
    for direction in ("ascending", "descending"):
        header.get_by_role("button").click()
        assert header.get_attribute("aria-sort") == direction
        ratios, measured = speeds((workload, absent) for workload in workload_order(page))
        assert ratios == sorted(ratios, reverse=direction == "ascending")
        assert measured == sorted(measured, reverse=True) and not measured[-1]
    row = page.locator(".matrix tbody tr", has=page.get_by_role("button", name="mnist_cnn", exact=True))
    row.get_by_role("button").click()
    ratios, measured = speeds(("mnist_cnn", contender) for contender in contender_order(page))
    assert ratios == sorted(ratios, reverse=True) and measured == [True] * 5 + [False]
    assert sorted(contender_order(page)) == sorted(contenders)
    ranked_cell = cell(page, "mnist_cnn", contender_order(page)[0])
    assert ranked_cell.inner_text().startswith("1.00×")
    restore.click()
    assert contender_order(page) == contenders and workload_order(page) == workloads
    assert page.locator(".matrix [aria-sort]").count() == 0 and restore.is_disabled()


def test_a_cell_shows_all_its_figures_to_the_pointer_and_to_the_keyboard(opened, whole, whole_html):
    page = opened(whole_html, drawn=False)
    tip = page.get_by_role("tooltip")
    name = not_fastest(next(w for w in whole.results if w.workload == "mnist_mlp"))
    contender = found(whole, "mnist_mlp", name)
    shown = cell(page, "mnist_mlp", name)
    assert not tip.is_visible() and shown.get_attribute("title") is None
    shown.hover()
    text = tip.inner_text()
    for words in (
        f"{name} 2.13.0 on mnist_mlp",
        interval_words(contender.ratio),
        "1.3 s",
        "1.15 GiB",
        "of the machine's float32 matrix product",
        "1.28",
        "46.0 % after 6,400 samples (0.13 epochs)",
        "same network, worst: gradients conv2.weight 4.1e-06 ≤ 1e-04",
        "real",
    ):
        assert words in text
    tip.hover()
    page.wait_for_timeout(300)
    assert tip.is_visible()
    page.locator("h1").hover()
    until(page, "document.querySelector('#details').hidden")
    broken = next(c.name for w in whole.results if w.workload == "imdb_gru" for c in w.contenders if c.status != "ok")
    page.locator(".matrix tbody tr", has=page.get_by_role("button", name="imdb_gru", exact=True)).locator("a").focus()
    page.keyboard.press("Tab")
    for other in contender_order(page):
        page.keyboard.press("Tab")
        assert f"{other} 2.13.0 on imdb_gru" in tip.inner_text()
        assert ("killed by SIGSEGV lib.so: no symbol" in tip.inner_text()) == (other == broken)
        assert "SYNTHETIC DATA" in tip.inner_text()
    page.keyboard.press("Escape")
    assert not tip.is_visible()


def test_without_scripts_the_matrix_is_a_plain_table(opened, whole_html):
    page = opened(whole_html, drawn=False, java_script_enabled=False)
    assert page.locator(".matrix tbody tr:visible").count() == 9
    assert not page.locator(".controls").is_visible() and not page.locator("#details").is_visible()
    assert "samples/s: " in page.locator(".matrix .speed").first.get_attribute("title")


@pytest.mark.parametrize("width", [900, 1400])
def test_a_page_with_a_matrix_never_scrolls_sideways(opened, whole_html, width):
    page = opened(whole_html, drawn=False, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for table in page.locator(".overview .scroll, .scroll:has(.results)").all():
        assert table.evaluate("element => element.scrollWidth - element.clientWidth") == 0


def test_many_contenders_scroll_inside_the_matrix(opened, whole):
    results = []
    for workload in whole.results[:3]:
        more = [c.model_copy(update={"name": f"{c.name}=={n}"}) for n in range(3) for c in workload.contenders]
        results.append(workload.model_copy(update={"contenders": more}))
    page = opened(render_page(example(results), {}), drawn=False, viewport={"width": 900, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 900
    scroller = page.locator(".overview .scroll")
    assert scroller.evaluate("element => element.scrollWidth > element.clientWidth")
    scroller.evaluate("element => { element.scrollLeft = 500; }")
    assert page.locator(".matrix tbody th").first.bounding_box()["x"] >= 0


def test_hostile_text_does_nothing_in_a_matrix_either(opened):
    workload = hostile().results[0]
    names = ("a", "b", HOSTILE)
    page = opened(render_page(example([workload.model_copy(update={"workload": n}) for n in names], run="x"), {}))
    assert page.title().startswith("Rosetta") and page.locator("body b").count() == 0
    page.locator(".matrix td").first.hover()
    assert "</script><script>" in page.get_by_role("tooltip").inner_text()
    assert page.get_by_role("tooltip").locator("b").count() == 0


# ---------------------------------------------------------------- what belongs to one kind of workload


def test_a_workload_that_is_only_predicted_has_latency_and_no_learning(opened, whole_html):
    page = opened(whole_html, drawn=False)
    section = section_of(page, "resnet50_features")
    headers = section.locator(".results thead").inner_text()
    assert "latency" in headers and "loss" not in headers and "accuracy" not in headers
    assert section.locator(".learning").count() == 0 and section.locator("figure").count() == 3
    proof = section.locator(".proof")
    assert proof.locator("th").all_inner_texts() == ["contender", "same network?", "features", "further"]
    assert "3.4e-07" in proof.inner_text() and "per sample and prediction" in section.inner_text()
    assert "52.3" in section.locator(".fastest").inner_text()


def test_published_times_stand_beside_this_runs_for_the_same_work(opened, whole, whole_html):
    page = opened(whole_html, drawn=False)
    section = section_of(page, "cifar10_cnn")
    lists = section.locator(".published table")
    captions = [caption.split(":")[0] for caption in section.locator(".published caption").all_inner_texts()]
    assert captions == ["published", "published", "measured"]
    rows = lists.nth(0).locator("tbody tr")
    assert rows.first.inner_text().split("\t") == ["MXNet (Module)", "145", "1.00×"]
    assert rows.last.inner_text().split("\t") == ["Keras (Theano)", "269", "1.86×"]
    assert "can't be compared" in section.inner_text()
    fastest = next(
        c for w in whole.results if w.workload == "cifar10_cnn" for c in w.contenders if c.ratio.to == c.name
    )
    name, seconds, of_fastest = lists.nth(2).locator("tbody tr").first.inner_text().split("\t")
    assert (name, of_fastest) == (fastest.name, "1.00×")
    assert float(seconds.replace(",", "")) == pytest.approx(10 * 49_984 / fastest.samples_per_second, rel=5e-3)
    images = section_of(page, "resnet50_features").locator(".published table").last.locator("tbody tr").first
    rate = max(c.samples_per_second or 0 for c in whole.results[-1].contenders)
    assert float(images.inner_text().split("\t")[1]) == pytest.approx(1000 / rate, rel=5e-3)
    assert section_of(page, "mnist_cnn").locator(".published").count() == 0
    assert "synthetic data" in section_of(page, "imdb_gru").locator("h3", has_text="Published times").inner_text()


def test_accuracy_says_after_what_how_spread_and_what_was_published(opened, whole, whole_html):
    page = opened(whole_html, drawn=False)
    section = section_of(page, "cifar10_cnn")
    text = section.inner_text()
    assert "Test accuracy after 128 samples (0.0026 epochs), the same for all: 40.2 % to 46.0 %" in text
    assert "between launches of one contender it scatters by 0.94 points (sd)" in text
    assert "Published: about 0.775 test accuracy after 10 epochs." in text
    odd = next(c.name for w in whole.results if w.workload == "cifar10_cnn" for c in w.contenders if c.accuracy_differs)
    flagged = section.locator(".results tbody tr", has=page.locator(".flag"))
    assert flagged.locator(".name").all_inner_texts() == [odd]
    assert "spread between launches" in flagged.locator(".flag").get_attribute("title")
    assert f"Accuracy differs (≠): {odd}; its mean accuracy is farther" in text
    assert NOTE in section_of(page, "imdb_gru").inner_text()


def test_a_run_of_the_published_protocol_speaks_of_epochs(opened):
    page = opened(render_page(published_protocol(), {}))
    text = page.locator(".workload").inner_text()
    for words in (
        "Every epoch",
        "All 18 timed epochs",
        "last epoch",
        "from paired epochs",
        "Accuracy: after each epoch",
        "after 149,952 samples (3 epochs)",
    ):
        assert words in text
    assert "chunk" not in text
    assert "epochs of cifar10_cnn" in page.locator("#how").inner_text()
    plot = "document.querySelector('.learning .plot')"
    assert page.evaluate(f"{plot}.data[1].x") == [49_984, 2 * 49_984, 3 * 49_984]


def test_further_comparisons_are_told_one_by_one_below_the_proofs(opened, whole_html):
    page = opened(whole_html, drawn=False)
    section = section_of(page, "mnist_mlp")
    told = section.locator("details", has=page.locator("table.further"))
    told.locator("summary").click()
    rows = told.locator("tbody tr")
    assert rows.count() and "late state" in rows.first.inner_text()
    # A column of a few letters' width once made the page eight thousand pixels long.
    assert rows.first.bounding_box()["height"] < 60 and rows.last.locator("td").last.bounding_box()["width"] > 100
