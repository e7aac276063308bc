"""The terminal's tables, the exports and the figures: right words and figures, and no text can break out."""

import csv
import io
import json
import math
import re
from typing import Any

import plotly.graph_objects as go
import pytest
from report_fixtures import HOSTILE, chunks, cifar, everything, example, hostile, mnist, ok, published_protocol
from results_events import MACHINE, SESSION, chunk, data_event, environment, make_plan, proof
from rich.cells import cell_len
from rich.console import Console

from rosetta.cli.console import HarmlessConsole
from rosetta.cli.progress import Watch
from rosetta.errors import RosettaError
from rosetta.escapes import printable
from rosetta.record import statistics
from rosetta.record.result import Ratio
from rosetta.report import figures, published
from rosetta.report.drawing import log_axis
from rosetta.report.exports import to_csv, to_markdown
from rosetta.report.learning import learning_figure
from rosetta.report.live import LiveHeader, LiveRow, LiveWorkload, live_view
from rosetta.report.matrix import matrix, shade
from rosetta.report.numbers import number
from rosetta.report.proofs import proof_table
from rosetta.report.ranking import ranked, ranks
from rosetta.report.sentences import verdict
from rosetta.report.status import proof_words
from rosetta.report.terminal import compare_table, result_table


def printed(renderable, width=100):
    file = io.StringIO()
    Console(width=width, file=file, force_terminal=False).print(renderable)
    return file.getvalue()


def with_contender(workload, index, **changes):
    contenders = list(workload.contenders)
    contenders[index] = contenders[index].model_copy(update=changes)
    return workload.model_copy(update={"contenders": contenders})


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (34_213.0, "34,200"),
        (98.34, "98.3"),
        (0.0, "0"),
        (None, "–"),
        (math.nan, "–"),
        (0.00123, "0.00123"),
        (999.9, "1,000"),
    ],
)
def test_numbers_have_three_significant_digits(value, text):
    assert number(value) == text


def test_verdict_names_ties_and_the_next():
    assert verdict(cifar()) == (
        "tensorflow and torch[channels_last] tie: the run can't tell which is fastest. "
        "Next: torch at 0.72× (0.70–0.74)."
    )


def test_verdict_of_a_faster_precision_also_names_the_fastest_in_float32():
    assert "torch[bf16] (bfloat16) is fastest." in verdict(mnist())
    assert "Fastest in float32: jax, 0.67× (0.64–0.70)." in verdict(mnist())


def test_one_launch_gives_no_tie_and_says_that_nothing_is_sure():
    lone = Ratio(to="tensorflow", value=0.9, low=None, high=None, tie=True)
    slow = ok("torch", "2", 300.0, lone)
    fast = ok("tensorflow", "2", 333.0, Ratio(to="tensorflow", value=1, low=None, high=None, tie=True))
    contenders = [c.model_copy(update={"chunks": chunks(300, 64, launches=1)}) for c in (slow, fast)]
    workload = cifar().model_copy(update={"contenders": contenders})
    assert "one launch can't tell" in verdict(workload)
    text = printed(result_table(workload))
    assert "0.90× (no interval)" in text and " tie" not in text
    assert "No interval: that takes at least two launches." in " ".join(text.split())


def test_rank_is_by_ratio_and_ties_share_the_first():
    order = ranked(cifar())
    assert [c.name for c in order] == ["tensorflow", "torch[channels_last]", "torch", "keras[jax]"]
    assert ranks(order) == [1, 1, 3, 4]


# ---------------------------------------------------------------- the terminal


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("workload", [cifar(), mnist()], ids=lambda workload: workload.workload)
def test_table_fits_and_keeps_ratios_and_reasons(workload, width):
    result = example([workload])
    text = printed(result_table(workload, result.protocol), width)
    assert max(map(cell_len, text.splitlines())) <= width
    for contender in ranked(workload)[1:]:
        ratio = contender.ratio
        assert f"{ratio.value:.2f}× ({ratio.low:.2f}–{ratio.high:.2f})" in text
    flat = " ".join(text.split())
    assert "95 % interval over 4 launches" in flat
    assert ("SYNTHETIC DATA" in flat) == (workload.data == "synthetic")


def test_table_at_full_width_has_every_figure():
    text = printed(result_table(cifar()), 140)
    row = next(line for line in text.splitlines() if line.startswith("torch[channels_last]"))
    figures_of_row = "2.13.0 413 0.98× (0.95–1.01) tie 2.1 1.3 44 1.15 1.28 46.3 yes 4.1e-06"
    assert " ".join(row.split()) == f"torch[channels_last] {figures_of_row}"
    for words in (
        "not the same network gradients conv2.weight 3.1e-02 > 1e-04",
        "libmxnet.so: undefined symbol: cblas_sgemm",
        "no wheel for Python 3.11: cntk==2.7",
        "pending",
        "4 of 8 contenders proven to compute the same network, 1 proven not to, 3 without a proof",
    ):
        assert words in " ".join(text.split())


def test_columns_that_do_not_fit_are_named():
    text = " ".join(printed(result_table(cifar()), 80).split())
    assert "Versions: tensorflow 2.21.0, torch[channels_last] 2.13.0" in text
    assert "Left out for want of width: % of peak, peak GiB, loss, test %." in text


def test_markup_and_control_characters_are_shown_not_obeyed():
    text = printed(result_table(hostile().results[0]), 140)
    assert "\x1b" not in text and "[bold]x[/bold]" in text


def test_a_workload_that_nobody_finished_says_so():
    workload = cifar().model_copy(update={"contenders": cifar().contenders[4:]})
    text = printed(result_table(workload))
    assert "No contender could be ranked." in text and "chainer" in text


def test_live_view_shows_every_state():
    rows = [
        LiveRow(
            "torch",
            "measuring round 3/8, launch 2/4",
            302.4,
            Ratio(to="jax", value=0.72, low=0.7, high=0.74, tie=False),
        ),
        LiveRow("jax", "done", 420.0, Ratio(to="jax", value=1, low=1, high=1, tie=True)),
        LiveRow("mxnet", "failed: killed\nby [SIGSEGV]"),
    ]
    view = live_view(LiveHeader("measuring", 75, 600), [LiveWorkload("MLP", "synthetic", rows)])
    text = printed(view, 100)
    assert "measuring  1 min 15 s of about 10 min 00 s" in text
    assert "SYNTHETIC DATA" in text
    assert "0.72× (0.70–0.74)" in text and "1.00× fastest" in text
    assert "measuring round 3/8, launch 2/4" in text and "failed: killed by [SIGSEGV]" in text


def many_workloads(current):
    rows = [
        LiveRow("torch", "waiting", 302.4, Ratio(to="jax", value=0.99, low=0.97, high=1.01, tie=True)),
        LiveRow("jax", "waiting", 420.0, Ratio(to="jax", value=1, low=1, high=1, tie=False)),
        *(LiveRow(f"framework{n}", "failed: killed") for n in range(6)),
    ]
    stages: list[Any] = ["measured"] * current + ["current"] + ["waiting"] * (8 - current)
    return [LiveWorkload(f"Network {n}", "real", rows, f"net_{n}", stage) for n, stage in enumerate(stages)]


@pytest.mark.parametrize("current", [0, 4, 8])
def test_live_view_of_many_workloads_fits_a_terminal(current):
    text = printed(live_view(LiveHeader("measuring", 75), many_workloads(current)), 80)
    lines = text.splitlines()
    assert len(lines) <= 24
    assert sum("torch" in line and "waiting" in line for line in lines) == 1
    assert f"Network {current}" in text
    assert text.count("jax and torch tie at 420 samples/s") == current
    if current < 8:
        assert f"waiting: net_{current + 1}" in text


def test_watch_shows_the_workload_at_hand_and_names_the_others():
    plan = make_plan(["torch"], workloads=["mnist_mlp", "mnist_cnn", "imdb_gru"])
    file = io.StringIO()
    console = HarmlessConsole(width=100, height=30, file=file, force_terminal=True, color_system=None)
    events = [SESSION, MACHINE, environment("torch"), data_event(), proof("torch"), chunk("torch", 0, 0, 1.0)]
    with Watch(plan, console) as watch:
        for event in events:
            watch.event(event)
        watch.state("mnist_cnn", "torch", "compiling")
    text = file.getvalue()
    assert "mnist_mlp torch fastest so far, 1,280 samples/s 1 of 1 measured, SYNTHETIC DATA" in " ".join(text.split())
    assert "Convolutional network on MNIST" in text and "waiting: imdb_gru" in text


def test_watch_without_a_terminal_reports_epochs_of_the_published_protocol():
    file = io.StringIO()
    console = HarmlessConsole(width=100, file=file, force_terminal=False)
    reported = {"workload": "mnist_mlp", "launch": 0, "round": 2, "label": "torch", "correct": 981, "count": 1000}
    for epochs in (False, True):
        with Watch(make_plan(["torch"], epochs=epochs), console) as watch:
            watch.event({"event": "accuracy", **reported})
    assert file.getvalue() == "mnist_mlp: torch: 98.1% of test samples right after epoch 3\n"


# ---------------------------------------------------------------- training, prediction, published times


def of_everything(name):
    return next(workload for workload in everything().results if workload.workload == name)


def test_prediction_has_latency_and_neither_loss_nor_accuracy():
    text = printed(result_table(of_everything("resnet50_features")), 140)
    assert "latency" in text and "52.3" in text
    assert "loss" not in text.split("Prediction only")[0]
    assert "Prediction only" in text
    assert learning_figure(of_everything("resnet50_features")) == (None, 0)


def test_an_accuracy_that_stands_apart_is_marked_and_explained():
    workload = of_everything("cifar10_cnn")
    odd = next(c.name for c in workload.contenders if c.accuracy_differs)
    for text in (printed(result_table(workload), 160), to_markdown(everything())):
        flat = " ".join(text.replace("\\", "").split())
        assert "40.2 ≠" in flat.replace("40.2 % ≠", "40.2 ≠") and "46.0 ≠" not in flat
        assert f"Accuracy differs (≠): {odd}; its mean accuracy is farther from the others'" in flat
        assert "after 128 samples (0.0026 epochs), the same for all" in flat
        assert "scatters by 0.94 points (sd)" in flat


def test_published_accuracy_beside_synthetic_data_says_so():
    text = " ".join(printed(result_table(of_everything("imdb_gru")), 140).split())
    assert "Published: about 0.86 test accuracy after 3 epochs, on the real data; this run's are not." in text


def test_an_implementation_that_does_not_exist_is_called_that():
    text = printed(result_table(of_everything("mnist_hrnn")), 140)
    assert "no implementation" in text and "JAX has no implementation of mnist_hrnn." in text and "plan:" not in text


def test_below_a_proofs_table_stands_why_a_contender_has_none():
    workload = of_everything("mnist_hrnn")
    text = printed(proof_table(workload), 100)
    assert all(contender.name in text for contender in workload.contenders), "names are never cut off"
    assert "no implementation" in text and "plan:" not in text
    assert "torch[channels_last]: JAX has no implementation of mnist_hrnn." in text
    failed = printed(proof_table(of_everything("mnist_cnn")), 100)
    assert "torch[channels_last]: gradients conv2.weight 3.1e-02 > 1e-04" in failed


def test_a_proofs_verdict_is_whole_where_a_terminal_is_narrow():
    lines = printed(proof_table(of_everything("mnist_mlp")), 80).splitlines()
    assert sum(line.rstrip().endswith("verdict") for line in lines) == 1
    assert sum(line.rstrip().endswith("the same") for line in lines) >= 2, "the verdict's last column was cut off"


def test_the_same_network_in_a_lower_precision_is_called_that():
    workload = mnist()
    text = printed(proof_table(workload), 200)
    assert "the same network, in bfloat16" in text
    assert text.count("the same network, in") == 1 < text.count("the same network")
    by_name = {contender.name: contender for contender in workload.contenders}
    assert proof_words(by_name["torch[bf16]"]).startswith("same network, in bfloat16, worst: ")
    assert proof_words(by_name["torch"]).startswith("same network, worst: ")


@pytest.mark.parametrize(
    ("per", "samples"), [("epoch", 500), ("10 epochs", 5000), ("1,000 images", 1000), ("a while", None)]
)
def test_the_amount_of_work_of_a_published_time(per, samples):
    assert published.samples_in(per, 500) == samples
    assert published.samples_in("epoch", 0) is None


def test_the_published_protocol_has_its_times_in_the_terminal():
    result = published_protocol()
    text = " ".join(printed(result_table(result.results[0], result.protocol), 140).split())
    assert "published: K80 MXNet (Module) 145, Caffe2 148" in text and "measured: this machine" in text
    assert "seconds per 10 epochs" in text and "can't be compared with each other" in text
    assert "Loss: mean of the last epoch, after 149,952 samples (3 epochs)." in text
    markdown = to_markdown(result).replace("\\", "")
    assert "MXNet (Module) 145, Caffe2 148" in markdown and "trains for one epoch" in markdown
    assert "K80" not in printed(result_table(of_everything("cifar10_cnn"), everything().protocol), 140)


def test_the_matrix_counts_what_it_shows():
    found = matrix(everything())
    assert found.summary == (
        "9 workloads, 6 contenders: 50 of 54 pairs measured, each after the proof that it computes the same network; "
        "1 failed, 1 not the same network, 1 no implementation and 1 unavailable."
    )
    assert matrix(example()) is None
    assert (shade(1), shade(0.1), shade(0.01), shade(1.02)) == (1, 0, 0, 1)
    assert shade(0.5) - shade(0.25) == pytest.approx(shade(1) - shade(0.5))


# ---------------------------------------------------------------- two runs


def test_equal_runs_compare_as_no_change():
    text = printed(compare_table(example(), example(run="later")), 120)
    row = next(line for line in text.splitlines() if line.startswith("torch  "))
    assert "1.00×" in row and "no change seen" in row
    assert "Warning" not in text
    assert "chainer (not the same network / not the same network)" in " ".join(text.split())


def test_a_change_beyond_both_intervals_is_seen():
    faster = with_contender(cifar(), 0, ratio=Ratio(to="tensorflow", value=0.9, low=0.88, high=0.92, tie=False))
    text = printed(compare_table(example([cifar()]), example([faster])), 120)
    row = next(line for line in text.splitlines() if line.startswith("torch  "))
    # 0.9 / 0.7204 = 1.249; half-widths of the two logs combined in quadrature: 2.3 and 2.7 % give 1.206–1.293
    assert "1.25× (1.21–1.29)" in row and "no change" not in row


def test_ratios_to_another_fastest_are_computed_again_from_the_rounds():
    before, now = cifar(), cifar()
    swapped = [
        c.model_copy(update={"ratio": Ratio(to="torch", value=v, low=v, high=v, tie=False)})
        for c, v in zip(now.contenders[:4], (1.0, 0.5, 0.6, 0.2), strict=True)
    ]
    after = now.model_copy(update={"contenders": swapped})
    rates = [
        {(k.launch, k.round): math.log(k.steps * 64 / k.seconds) for k in after.contenders[i].chunks} for i in (3, 1)
    ]
    expected = statistics.ratio(rates[0], rates[1], 0.95)
    text = printed(compare_table(example([before]), example([after])), 140)
    row = next(line for line in text.splitlines() if line.startswith("keras[jax]"))
    assert f"{expected.value:.2f}× ({expected.low:.2f}–{expected.high:.2f})" in row


def test_runs_on_different_machines_are_compared_with_a_warning():
    other = example(machine=example().machine.model_copy(update={"cpu": "Another", "cores": 64}))
    text = printed(compare_table(example(), other), 120)
    assert "Warning: the runs differ, processor: Intel Xeon Platinum 8481C / Another" in text
    assert "cores: 2 / 64" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [({"data": "synthetic"}, "data"), ({"batch_size": 32}, "batch size"), ({"flops_per_sample": 1}, "FLOP per sample")],
)
def test_runs_that_measured_something_else_are_refused(change, words):
    with pytest.raises(RosettaError, match=f"differ in the {words} of cifar10_cnn") as caught:
        compare_table(example(), example([cifar().model_copy(update=change)]))
    assert caught.value.remedy


def test_runs_without_a_common_workload_or_schema_are_refused():
    with pytest.raises(RosettaError, match="no workload in common"):
        compare_table(example([cifar()]), example([mnist()]))
    with pytest.raises(RosettaError, match="rosetta-result/2"):
        compare_table(example(), example().model_copy(update={"schema_": "rosetta-result/2"}))


# ---------------------------------------------------------------- exports


def test_csv_has_a_row_for_every_contender_and_exact_figures():
    rows = list(csv.DictReader(io.StringIO(to_csv(example()))))
    assert len(rows) == 8 + 3
    torch = next(row for row in rows if row["workload"] == "cifar10_cnn" and row["contender"] == "torch")
    assert float(torch["ratio"]) == 0.7204 and float(torch["ratio_low"]) == 0.7011
    assert float(torch["samples_per_second"]) == 302.4
    assert (torch["rank"], torch["tie"], torch["synthetic"]) == ("3", "False", "False")
    chainer = next(row for row in rows if row["contender"] == "chainer")
    assert (chainer["status"], chainer["rank"], chainer["proof_passed"]) == ("not_equivalent", "", "False")
    assert {row["synthetic"] for row in rows if row["workload"] == "mnist_mlp"} == {"True"}


def test_csv_keeps_hostile_text_in_its_cell():
    rows = list(csv.DictReader(io.StringIO(to_csv(hostile()))))
    assert printable(HOSTILE) in [row["contender"] for row in rows]
    assert all(None not in row and None not in row.values() for row in rows)


def columns(line):
    return len(re.findall(r"(?<!\\)\|", line))


@pytest.mark.parametrize(
    "result",
    [example(), hostile(), everything(), published_protocol()],
    ids=["example", "hostile", "everything", "published"],
)
def test_markdown_tables_are_rectangular(result):
    tables = re.findall(r"(?:^\|.*\n)+", to_markdown(result), re.MULTILINE)
    assert len(tables) >= 2
    for table in tables:
        assert len({columns(line) for line in table.splitlines()}) == 1


def test_markdown_says_what_it_shows():
    text = to_markdown(example())
    assert "**SYNTHETIC DATA**" in text and "**data: real**" in text
    assert "0.98× (0.95–1.01) tie" in text
    assert "killed by SIGSEGV while compiling" in text
    assert "Intel Xeon Platinum 8481C, 2 cores" in text
    assert "rosetta run cifar10_cnn mnist_mlp --seed 1" in text
    assert "not complete" not in text and "not complete" in to_markdown(example(complete=False))


def test_markdown_leaves_no_live_html():
    assert re.search(r"(?<!\\)<", to_markdown(hostile())) is None


# ---------------------------------------------------------------- figures


def all_figures(workload):
    return [
        figures.ratio_figure(workload),
        learning_figure(workload)[0],
        figures.chunk_figure(workload)[0],
        figures.clock_figure(workload),
    ]


@pytest.mark.parametrize(
    "workload",
    [cifar(), mnist(), *everything().results, *published_protocol().results],
    ids=lambda workload: workload.workload,
)
def test_plotly_accepts_every_figure(workload):
    for figure in filter(None, all_figures(workload)):
        coloured = json.loads(re.sub(r'"@\w+"', '"#000000"', json.dumps(figure, allow_nan=False)))
        go.Figure(coloured)  # raises on anything that Plotly doesn't know


def test_ratio_figure_draws_intervals_and_hollow_ties():
    figure = figures.ratio_figure(cifar())
    (trace,) = figure["data"]
    assert trace["y"] == ["tensorflow", "torch[channels_last]", "torch", "keras[jax]"]
    assert trace["x"][2] + trace["error_x"]["array"][2] == pytest.approx(0.7395)
    assert trace["x"][2] - trace["error_x"]["arrayminus"][2] == pytest.approx(0.7011)
    assert trace["marker"]["color"] == ["@accent", "@surface", "@accent", "@accent"]


def test_accuracies_taken_once_are_drawn_side_by_side():
    figure, _ = learning_figure(of_everything("mnist_cnn"))
    points = [trace for trace in figure["data"] if trace.get("xaxis") == "x2"]
    assert {len(trace["x"]) for trace in points} == {4}
    assert len({trace["y"][0] for trace in points}) == len(points)


def test_a_short_log_axis_has_ticks_too():
    for low, high in ((272, 352), (91, 111), (0.5, 5000)):
        ticks = log_axis(low, high)["tickvals"]
        assert len(ticks) > 1 and all(low <= tick <= high for tick in ticks)


def test_names_are_escaped_for_plotly():
    assert "<" not in figures.ratio_figure(hostile().results[0])["data"][0]["y"][1].replace("&lt;", "")
    assert all("<script" not in trace["name"] for trace in learning_figure(hostile().results[0])[0]["data"])


def test_thinning_keeps_outliers_and_counts_what_it_leaves_out():
    many = chunks(300.0, 64, launches=2, rounds=5000)
    outlier = many[1234].model_copy(update={"seconds": many[1234].seconds * 50})
    lone = cifar().contenders[0].model_copy(update={"chunks": [*many[:1234], outlier, *many[1235:]]})
    workload = cifar().model_copy(update={"contenders": [lone]})
    figure, left_out = figures.chunk_figure(workload)
    (trace,) = figure["data"]
    assert len(trace["x"]) + left_out == len(many) and left_out > 0
    assert min(trace["y"]) == pytest.approx(outlier.steps * 64 / outlier.seconds)
    loss, loss_left_out = learning_figure(workload)
    drawn = loss["data"][0]["x"]
    assert len(drawn) + loss_left_out == 5000
    assert drawn == sorted(drawn) and drawn[-1] == many[4999].trained_samples


def test_losses_that_are_not_finite_leave_a_gap():
    first = cifar().contenders[0]
    broken = first.model_copy(
        update={"chunks": [first.chunks[0].model_copy(update={"loss": math.nan}), *first.chunks[1:]]}
    )
    figure, _ = learning_figure(cifar().model_copy(update={"contenders": [broken]}))
    assert figure["data"][0]["y"][0] is None
    json.dumps(figure, allow_nan=False)
