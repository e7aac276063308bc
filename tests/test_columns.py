"""The columns: one declaration shows a figure in every output, in the same order, and CSV keeps its own."""

import csv
import io
import re
from importlib import resources

import pytest
from report_fixtures import cifar, everything, example
from rich.console import Console

from rosetta.report import columns
from rosetta.report.columns import Column, Details, Page, Terminal, shown
from rosetta.report.exports import to_csv, to_markdown
from rosetta.report.matrix import matrix
from rosetta.report.page import render_page
from rosetta.report.terminal import result_table

CSV_HEADER = (
    "run,workload,data,synthetic,device,batch_size,contender,framework,version,precision,status,reason,rank,"
    "samples_per_second,ratio_to,ratio,ratio_low,ratio_high,confidence,tie,import_seconds,build_seconds,"
    "first_step_seconds,replicas,efficiency,fraction_of_peak,peak_memory_bytes,gpu_memory_bytes,joules_per_sample,"
    "loss,accuracy,trained_samples,accuracy_differs,latency_seconds,note,proof_passed,logits_error,loss_error,"
    "gradients_error,gradients_worst_tensor,update_error,update_worst_tensor,deviation,chunks"
)


def printed(workload, width):
    console = Console(width=width, file=io.StringIO(), force_terminal=False, record=True)
    console.print(result_table(workload))
    return console.export_text()


def cells(row):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def before_the_proof(monkeypatch, column):
    monkeypatch.setattr(columns, "COLUMNS", (*columns.COLUMNS[:-1], column, columns.COLUMNS[-1]))


def test_one_declaration_shows_a_column_everywhere(monkeypatch):
    zeal = Column(
        key="zeal_newtons",
        header="zeal",
        unit="kN",
        value=lambda c: c.samples_per_second and c.samples_per_second * 1000,
        format=lambda newtons: f"{newtons / 1000:.3f}",
    )
    before_the_proof(monkeypatch, zeal)
    result = everything()
    workload = result.results[0]
    fastest = next(c for c in workload.contenders if c.ratio and c.ratio.to == c.name)
    value = f"{fastest.samples_per_second:.3f}"

    lines = printed(workload, 200).splitlines()
    header = next(place for place, line in enumerate(lines) if line.startswith("contender "))
    assert "zeal" in lines[header - 1].split() and "kN" in lines[header].split()
    assert value in next(line for line in lines[header:] if line.startswith(f"{fastest.name} ")).split()
    assert "zeal kN" in " ".join(printed(workload, 60).split()).partition("Left out for want of width: ")[2]

    page = render_page(result, {})
    assert page.count('<th scope="col" class="col-zeal_newtons"><button type="button">zeal</button>') == 9
    assert f'<td class="col-zeal_newtons" data-sort="{fastest.samples_per_second * 1000!r}">{value}</td>' in page

    markdown = to_markdown(result).splitlines()
    header = next(place for place, line in enumerate(markdown) if line.startswith("| contender"))
    assert cells(markdown[header])[-2:] == ["zeal kN", "proof"]
    assert cells(markdown[header + 1])[-2:] == ["--:", ":--"]
    assert cells(markdown[header + 2])[-2] == value

    text = to_csv(result)
    assert text.splitlines()[0] == f"{CSV_HEADER},zeal_newtons", "what programs read stays where it was"
    row = next(row for row in csv.DictReader(io.StringIO(text)) if row["contender"] == fastest.name)
    assert float(row["zeal_newtons"]) == fastest.samples_per_second * 1000

    found = matrix(result)
    place = [column.name for column in found.columns].index(fastest.name)
    details = found.rows[0].cells[place].details.splitlines()
    assert f"zeal: {value} kN" in details and f"zeal: {value} kN" in page


def test_what_a_column_says_of_one_output_holds_there_alone(monkeypatch):
    zeal = Column(key="zeal", header="zeal", unit="kN", value=lambda c: 1.0, format=lambda newtons: "unity",
                  terminal=Terminal(header="zl", cell=lambda c: "1"),
                  page=Page(header="zealousness", note="last {round}", hint=lambda c: "a <hint>", sort=lambda c: 7.0),
                  details=Details(label="zest", words=lambda c, workload: f"of {workload.workload}"))  # fmt: skip
    before_the_proof(monkeypatch, zeal)
    result = everything()
    terminal, page, markdown = printed(result.results[0], 200), render_page(result, {}), to_markdown(result)
    assert "zl" in terminal.split() and not {"zeal", "kN", "unity"} & set(terminal.split())
    assert '<button type="button">zealousness</button><small>last round</small>' in page
    assert '<td class="col-zeal" data-sort="7.0" title="a &lt;hint&gt;">unity</td>' in page
    assert "| zeal kN | proof |" in markdown and "zest" not in markdown
    details = [cell.details for row in matrix(result).rows for cell in row.cells if cell.ranked]
    assert len(details) == 50 and all("\nzest: of " in text for text in details)


@pytest.mark.parametrize("output", ["terminal", "page", "markdown", "details"])
def test_a_column_applies_where_it_says(monkeypatch, output):
    keys = lambda workload: [column.key for column in shown(workload, output)]
    trained, predicted = everything().results[0], everything().results[-1]
    assert {"loss", "accuracy"} <= set(keys(trained)) and "latency_seconds" not in keys(trained)
    assert not {"loss", "accuracy"} & set(keys(predicted)) and "latency_seconds" in keys(predicted)
    assert "joules_per_sample" not in keys(cifar())
    torch = cifar().contenders[0].model_copy(update={"joules_per_sample": 0.01})
    on_a_gpu = cifar().model_copy(update={"contenders": [torch, *cifar().contenders[1:]]})
    assert keys(on_a_gpu) == [*keys(cifar())[:-1], "joules_per_sample", "proof"]
    before_the_proof(monkeypatch, Column(key="zeal", header="zeal", value=lambda c: 1.0, without=(output,)))
    assert "zeal" not in keys(cifar())


def test_the_columns_of_csv_stay():
    assert to_csv(example()).splitlines()[0] == CSV_HEADER


def test_no_two_columns_have_one_name():
    torch = cifar().contenders[0]
    assert len({column.key for column in columns.COLUMNS}) == len(columns.COLUMNS)
    assert len(columns.csv_cells(torch)) == sum(len(column.cells(torch)) for column in columns.COLUMNS)


def test_the_pages_cells_with_markup_are_of_columns():
    text = (resources.files("rosetta.report") / "cells.html.j2").read_text(encoding="utf-8")
    marked = re.findall(r"{% macro (\w+)\(row\) %}", text)
    assert marked and set(marked) <= {column.key for column in columns.COLUMNS if "page" not in column.without}
