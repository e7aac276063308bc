"""Renders the page: one HTML file with all its figures and code inside, which opens offline."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

from rosetta.report import figures, summary
from rosetta.result import ContenderResult, Result, WorkloadResult


def _file(name: str) -> str:
    return (resources.files("rosetta.report") / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """Return the source expression that lets a Content Security Policy run exactly this script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rosetta", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    for name in ("number", "percent", "gibibytes", "duration", "error", "printable", "holds"):
        environment.filters[name] = getattr(summary, name)
    return environment.get_template("page.html.j2")


def _sort_key(value: float | None) -> str:
    return "" if value is None else repr(value)


def _row(contender: ContenderResult, rank: int | None) -> dict[str, Any]:
    proof = contender.equivalence
    return {
        "contender": contender,
        "rank": rank,
        "reference": summary.is_reference(contender),
        "tie": summary.is_tie(contender),
        "interval": summary.interval_words(contender.ratio) if contender.ratio else "",
        "value": summary.bare_ratio(contender.ratio.value) if contender.ratio else summary.NOTHING,
        "status": summary.STATUS_WORDS[contender.status],
        "reason": summary.reason_words(contender),
        "worst": summary.worst_check(proof)[1] if proof else None,
        "worst_words": summary.check_words(*summary.worst_check(proof)) if proof else "",
        "checks": summary.checks(proof) if proof else [],
        "dropout": summary.dropout_words(proof.dropout) if proof and proof.dropout else "",
    }


def _highlighted(sources: Mapping[str, str]) -> dict[str, Markup]:
    """Colour Python by token classes; Pygments escapes the text."""
    formatter = HtmlFormatter(nowrap=True)
    return {name: Markup(highlight(text, PythonLexer(), formatter)) for name, text in sorted(sources.items())}


def _first_choices(workload: WorkloadResult, names: list[str]) -> list[str]:
    """Choose what the two panes show at first: the reference's code, or the runner-up's, beside the fastest one's."""
    order = [contender.framework for contender in summary.ranked(workload) if contender.framework in names]
    right = order[0] if order else names[-1]
    preferred = ["numpy", *order, *names]
    return [next((name for name in preferred if name in names and name != right), right), right]


def _section(workload: WorkloadResult, result: Result, sources: Mapping[str, str]) -> dict[str, Any]:
    order = summary.ranked(workload)
    learning, loss_left_out = figures.learning_figure(workload)
    chunks, chunks_left_out = figures.chunk_figure(workload)
    names = sorted(sources)
    return {
        "workload": workload,
        "synthetic": summary.is_synthetic(workload),
        "data": summary.data_words(workload),
        "verdict": summary.printable(summary.verdict(workload)).replace("–", "\N{WORD JOINER}–\N{WORD JOINER}"),
        "proof_count": summary.proof_count(workload),
        "ratio_meaning": summary.ratio_meaning(workload, result.protocol),
        "ranked": [_row(contender, rank) for rank, contender in zip(summary.ranks(order), order, strict=True)],
        "unranked": [_row(contender, None) for contender in summary.unranked(workload)],
        "figures": {
            "ratio": figures.ratio_figure(workload),
            "learning": learning,
            "chunks": chunks,
            "clocks": figures.clock_figure(workload),
        },
        "loss_left_out": loss_left_out,
        "chunks_left_out": chunks_left_out,
        "chunk_count": sum(len(contender.chunks) for contender in workload.contenders),
        "sources": _highlighted(sources),
        "chosen": _first_choices(workload, names) if names else [],
    }


def render_page(result: Result, sources: Mapping[str, Mapping[str, str]]) -> str:
    """Render a result as one self-contained HTML page.

    ``sources[workload][framework]`` is the text of an implementation. All text is escaped, whoever wrote it, and the
    page's policy allows only its own two scripts and no network access.
    """
    scripts = [get_plotlyjs(), _file("page.js")]
    return _template().render(
        result=result,
        sections=[_section(workload, result, sources.get(workload.workload, {})) for workload in result.results],
        machine=summary.machine_words(result.machine),
        load=summary.load_words(result.machine),
        unfinished=summary.unfinished(result),
        interval_method=summary.INTERVAL_METHOD,
        nothing=summary.NOTHING,
        sort_key=_sort_key,
        style=Markup(_file("page.css")),
        scripts=[Markup(script) for script in scripts],
        script_policy=" ".join(_hash(script) for script in scripts),
    )
