"""Renders the page: one HTML file with all its figures and code inside, which opens offline."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

from rosetta.escapes import printable
from rosetta.record.result import ContenderResult, Protocol, Result, WorkloadResult
from rosetta.report import accuracy, checks, figures, published, ranking, sentences, status
from rosetta.report.columns import shown
from rosetta.report.learning import learning_figure
from rosetta.report.matrix import matrix, shade
from rosetta.report.numbers import NOTHING, duration, error, gibibytes, number, percent
from rosetta.report.ratios import bare_ratio, interval_words, scaling_words
from rosetta.report.warnings import warnings

_FILTERS = (number, percent, gibibytes, duration, error, printable)


def page_file(name: str) -> str:
    """Return the text of a style sheet or script that pages have in them."""
    return (resources.files("rosetta.report") / name).read_text(encoding="utf-8")


def script_source(script: str) -> str:
    """Return the source expression that lets a Content Security Policy run exactly this script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def environment() -> jinja2.Environment:
    """Return Jinja's environment for pages, which escapes whatever it is given."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("rosetta", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    made.filters |= {function.__name__: function for function in _FILTERS}
    made.filters["breakable"] = _breakable
    made.globals["differs"] = accuracy.DIFFERS
    return made


def _breakable(name: str) -> Markup:
    """Let a contender's name go on in the next line before its variants."""
    return Markup("<wbr>[").join(escape(part) for part in printable(name).split("["))


def _sort_key(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)


def _row(contender: ContenderResult, rank: int | None) -> dict[str, Any]:
    proof = contender.equivalence
    return {
        "contender": contender,
        "rank": rank,
        "reference": ranking.is_reference(contender),
        "tie": ranking.is_tie(contender),
        "interval": interval_words(contender.ratio) if contender.ratio else "",
        "value": bare_ratio(contender.ratio.value) if contender.ratio else NOTHING,
        "status": status.status_words(contender),
        "reason": status.reason_words(contender),
        "worst": checks.worst_check(proof)[1] if proof else None,
        "checks": dict(checks.checks(proof)) if proof else {},
        "further": proof.further if proof else [],
        "further_words": checks.further_words(proof) if proof else "",
        "dropout": checks.dropout_words(proof.dropout) if proof and proof.dropout else "",
    }


def _highlighted(sources: Mapping[str, str]) -> dict[str, Markup]:
    """Colour Python by token classes; Pygments escapes the text."""
    formatter = HtmlFormatter(nowrap=True)
    return {name: Markup(highlight(text, PythonLexer(), formatter)) for name, text in sorted(sources.items())}


def _first_choices(workload: WorkloadResult, names: list[str]) -> list[str]:
    """Choose what the two panes show at first: the reference's code, or the runner-up's, beside the fastest one's."""
    texts = [contender.name.partition("==")[0] for contender in ranking.ranked(workload)]
    order = [name for text in texts for name in (text, text.partition("[")[0]) if name in names]
    right = order[0] if order else names[-1]
    preferred = ["numpy", *order, *names]
    return [next((name for name in preferred if name in names and name != right), right), right]


def _learning_note(protocol: Protocol, left_out: int, tested: bool) -> str:
    stretch, when = ("epoch", "after each epoch of every launch") if protocol.epochs else ("chunk", "every launch")
    missing = f", {left_out:,} evenly spaced {stretch}s not drawn" if left_out else ""
    accuracy = f" Accuracy: {when}." if tested else ""
    return f"Loss: the first launch, dropout on, mean of each {stretch}{missing}.{accuracy} Click a name to hide it."


def _chunk_note(count: int, left_out: int, word: str) -> str:
    if not left_out:
        return f"All {count:,} timed {word}s, nothing thrown away."
    return (
        f"Drawn are the fastest and the slowest of every block of successive {word}s: {left_out:,} of {count:,} "
        f"{word}s are left out here; result.json has them all."
    )


def _section(number: int, workload: WorkloadResult, result: Result, sources: Mapping[str, str]) -> dict[str, Any]:
    order = ranking.ranked(workload)
    learning, loss_left_out = learning_figure(workload)
    chunks, chunks_left_out = figures.chunk_figure(workload, sentences.round_word(result.protocol))
    chunk_count = sum(len(contender.chunks) for contender in workload.contenders)
    chunk_word = "epoch" if result.protocol.epochs else "chunk"
    machine = result.machine
    names = sorted(sources)
    return {
        "id": f"workload-{number}",
        "workload": workload,
        "synthetic": sentences.is_synthetic(workload),
        "data": sentences.data_words(workload),
        "verdict": printable(sentences.verdict(workload)).replace("–", "\N{WORD JOINER}–\N{WORD JOINER}"),
        "proof_count": status.proof_count(workload),
        "ratio_meaning": sentences.ratio_meaning(workload, result.protocol),
        "precision_words": sentences.precision_words(workload, result.protocol),
        "learning_words": accuracy.learning_words(workload, result.protocol),
        "columns": shown(workload, "page"),
        "scaling": scaling_words(workload),
        "warnings": warnings(workload),
        "check_names": checks.check_names(workload),
        "published": published.comparisons(workload, f"{machine.cpu}, {machine.cores} cores, {machine.device}"),
        "ranked": [_row(contender, rank) for rank, contender in zip(ranking.ranks(order), order, strict=True)],
        "unranked": [_row(contender, None) for contender in ranking.unranked(workload)],
        "figures": {
            "ratio": figures.ratio_figure(workload),
            "learning": learning,
            "chunks": chunks,
            "clocks": figures.clock_figure(workload),
        },
        "learning_note": _learning_note(result.protocol, loss_left_out, workload.tested),
        "chunk_word": chunk_word,
        "chunk_note": _chunk_note(chunk_count, chunks_left_out, chunk_word),
        "sources": _highlighted(sources),
        "chosen": _first_choices(workload, names) if names else [],
    }


def render_page(result: Result, sources: Mapping[str, Mapping[str, str]], sources_of_today: bool = False) -> str:
    """Render a result as one self-contained HTML page.

    ``sources[workload][framework]`` is an implementation's source; ``sources_of_today``: the run itself kept none. All
    text is escaped, whoever wrote it, and the page's policy allows only its own two scripts and no network access.
    """
    scripts = [get_plotlyjs(), page_file("page.js")]
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            result=result,
            sections=[
                _section(number, workload, result, sources.get(workload.workload, {}))
                for number, workload in enumerate(result.results, 1)
            ],
            machine=sentences.machine_words(result.machine),
            load=sentences.load_words(result.machine),
            peak=sentences.peak_words(result.machine),
            copy=sentences.copy_words(result.machine),
            damage=sentences.damage_words(result),
            unfinished=sentences.unfinished(result),
            interval_method=sentences.interval_method(result.protocol),
            matrix=matrix(result),
            shade=shade,
            round_word=sentences.round_word(result.protocol),
            rounds_words=sentences.rounds_words,
            sources_of_today=sources_of_today,
            untrained={workload.workload for workload in result.results if not workload.trained},
            caution=published.CAUTION,
            list_title=published.title,
            tensor_words=checks.tensor_words,
            nothing=NOTHING,
            sort_key=_sort_key,
            style=Markup(page_file("page.css")),
            scripts=[Markup(script) for script in scripts],
            script_policy=" ".join(script_source(script) for script in scripts),
        )
    )
