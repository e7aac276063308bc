"""What leaves Rosetta: text of others acts nowhere, and streams may be closed, full, narrow or of another encoding."""

import ast
import csv
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_fixtures import example
from rich.progress import TextColumn

from rosetta.cli import app, streams
from rosetta.cli.console import HarmlessConsole, folding_table
from rosetta.cli.training_progress import TrainingWatch
from rosetta.environments import build as environments
from rosetta.environments.variables import LARGEST_SEED, check_seed
from rosetta.errors import RosettaError, storage_error
from rosetta.escapes import csv_cell, json_text, markdown, python_string
from rosetta.files import check_place
from rosetta.models.convert import _lines
from rosetta.paths import cache_folder
from rosetta.report.exports import to_csv
from rosetta.report.page import render_page
from rosetta.standalone.script import _literal
from rosetta.workloads import find_workload

TITLE = "\x1b]0;owned\x07"
ACTING = (TITLE, "\x1b[2J", "\x9b2J", "\r", "\x07", "\u202e", "\udcff", "\x00")


# ---------------------------------------------------------------- terminal


@pytest.mark.parametrize("acting", ACTING, ids=ascii)
def test_nothing_of_others_acts_on_a_terminal(acting):
    file = io.StringIO()
    console = HarmlessConsole(file=file, width=100, force_terminal=True, color_system=None)
    table = folding_table("name")
    table.add_row(f"[bold]torch[compile][/bold] :smile: {acting}x")
    console.print(table)
    console.say(f"[red]class[/red] {acting}x")
    shown = file.getvalue()
    assert acting not in shown.replace("\r\n", "\n")
    assert "[bold]torch[compile][/bold] :smile:" in shown and "[red]class[/red]" in shown
    assert all(c.isprintable() or c == "\n" for c in shown)


def test_the_bar_of_a_training_shows_a_variant():
    console = HarmlessConsole(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    watch = TrainingWatch(console, console, "torch[compile]")
    first = next(column for column in watch._bar.columns if isinstance(column, TextColumn))
    assert "torch[compile]: preparing" in str(first.render(watch._bar.tasks[0]))


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_narrow_table_loses_nothing(width):
    words = ("runs/2026-01-01T00-00-00-verify", "a_name_without_spaces_" * 4, "three")
    table = folding_table("run", "contenders", "complete")
    table.add_row(*words)
    file = io.StringIO()
    HarmlessConsole(file=file, width=width).print(table)
    lines = [line for line in file.getvalue().splitlines() if line.startswith("│")]
    found = ["".join(cells).replace(" ", "") for cells in zip(*(line.split("│")[1:-1] for line in lines), strict=True)]
    assert found == list(words)


# ---------------------------------------------------------------- CSV, Markdown, Python, JSON


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "  ="])
def test_no_cell_is_a_formula(first):
    result = example()
    contender = result.results[0].contenders[0]
    contender = contender.model_copy(update={"note": f'{first}HYPERLINK("http://x")', "loss": -1.5})
    workload = result.results[0].model_copy(update={"contenders": [contender]})
    (row,) = csv.DictReader(io.StringIO(to_csv(result.model_copy(update={"results": [workload]}))))
    assert row["note"].startswith("'") and "HYPERLINK" in row["note"]
    assert float(row["loss"]) == -1.5, "a number stays a number"


def test_a_number_and_plain_text_stay_as_they_are():
    for cell in (-1.5, None, True, "torch[compile]", "a=b", "1e-5"):
        assert csv_cell(cell) == cell


def test_markdown_stays_in_its_cell():
    text = markdown("a|b\n# title <script> ![x](y) @you `code`")
    assert "\n" not in text
    assert not re.search(r"(?<!\\)[|<#`\[]", text) and "@you" not in text


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("name", ["a'); import os; x('", 'a"); import os; x("', "a\\", "a\n'", "\u202e", "{workload}"])
def test_a_files_name_stays_between_its_quotes(quote, name):
    lines = _lines([f"load({quote}{{file}}{quote})"], find_workload("mnist_mlp"), Path(f"/d/{name}"))
    call = ast.parse(lines[0], mode="eval").body
    assert isinstance(call, ast.Call) and ast.literal_eval(call.args[0]) == f"/d/{name}" and lines[0].isprintable()
    assert ast.literal_eval(f"{quote}{python_string(name)}{quote}") == name


@pytest.mark.parametrize("value", ["plain", "a'b", 'a"b', "a'\"b\\", {"x": "a'); import os; x('"}, ["\n'", '"""'] * 20])
def test_a_scripts_literals_are_their_values(value):
    assert ast.literal_eval(_literal(value)) == value


@pytest.mark.parametrize("acting", ACTING, ids=ascii)
def test_json_is_the_same_and_printable(acting):
    text = json_text(json.dumps({acting: "é" + acting, "emoji": "😀\U000e0001"}, ensure_ascii=False))
    assert text.isprintable() and "é" in text
    assert json.loads(text) == {acting: "é" + acting, "emoji": "😀\U000e0001"}


# ---------------------------------------------------------------- HTML

BREAKING_OUT = "\"'><img src=x onerror=alert(1)> onmouseover=alert(1) \" x='"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [(tag, name) for name, _ in attrs if tag == "img" or name.startswith("on")]


def test_names_stay_in_their_attributes_and_elements():
    result = example()
    workload = result.results[0]
    changed = {"name": BREAKING_OUT, "note": BREAKING_OUT, "reason": BREAKING_OUT, "version": BREAKING_OUT}
    contenders = [contender.model_copy(update=changed) for contender in workload.contenders]
    update = {"title": BREAKING_OUT, "data": BREAKING_OUT, "workload": BREAKING_OUT, "contenders": contenders}
    workloads = [workload.model_copy(update=update)] * 3  # with a matrix
    page = render_page(result.model_copy(update={"results": workloads, "run": BREAKING_OUT}), {})
    body = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)  # the page's own two
    tags = Tags()
    tags.feed(body)
    assert "onmouseover" in body and not tags.found


# ---------------------------------------------------------------- streams, in this process

CODES = {0, 1, 2, 141}
COMMANDS = {
    "version": ["--version"],
    "help": ["--help"],
    "help of run": ["run", "--help"],
    "workloads": ["list", "workloads"],
    "contenders": ["list", "contenders"],
    "runs": ["list", "runs"],
    "no list": ["list", "\x1b]0;x\x07"],
    "no command": ["rnu\x1b]0;x\x07"],
    "no option": ["run", "--x\x1b]0;x\x07"],
    "no option's value": ["run", "--launches", "0\x9b"],
    "code": ["show", "mnist_mlp", "--in", "numpy"],
    "no framework": ["show", "mnist_mlp", "--in", "\udcff"],
    "no environment": ["env", "remove", "\udcff"],
    "no workload": ["run", "mnist_\udcff"],
    "no contender": ["run", "mnist_mlp", "--with", "torch[\x1b[2J]"],
    "no run": ["report", "\udcff"],
    "no runs": ["compare", "nowhere", "nowhere"],
    "no plan": ["run", "--resume", "nowhere"],
    "seed below": ["run", "mnist_mlp", "--with", "numpy", "--seed", "-1"],
    "seed above": ["verify", "mnist_mlp", "--with", "numpy", "--seed", "99999999999999999999"],
    "seed of a training": ["train", "mnist_mlp", "--with", "numpy", "--seed", "-1"],
    "no data": ["run", "mnist_mlp", "--with", "numpy", "--data", "/nonexistent/\udcff"],
    "data that are a file": ["verify", "mnist_mlp", "--with", "numpy", "--data", "/dev/null"],
    "no place for JSON": ["run", "mnist_mlp", "--with", "numpy", "--json", "/nonexistent/x"],
    "JSON into a folder": ["run", "mnist_mlp", "--with", "numpy", "--json", "/"],
    "no place for CSV": ["report", "nowhere", "--csv", "/nonexistent/x"],
    "weights into a folder": ["train", "mnist_mlp", "--with", "numpy", "--save", "/"],
    "weights into nothing": ["train", "mnist_mlp", "--with", "numpy", "--save", ""],
    "weights into a device": ["train", "mnist_mlp", "--with", "numpy", "--save", "/dev/null"],
    "no weights": ["predict", "\udcff", "x.png"],
    "nothing to convert": ["convert", "nowhere", "--to", "torch"],
    "nothing to convert from": ["convert", "/", "--from", "torch", "--workload", "mnist_mlp"],
    "a skeleton's name": ["new", "framework", "\x1b", "--out", "x"],
    "a skeleton's place": ["new", "framework", "mine", "--out", "/dev/null/x"],
}


def _broken(number):
    class Broken(io.StringIO):
        def write(self, text):
            raise OSError(number, os.strerror(number))

    return Broken()


STREAMS = {
    "UTF-8": lambda: io.TextIOWrapper(io.BytesIO(), "utf-8"),
    "ASCII": lambda: io.TextIOWrapper(io.BytesIO(), "ascii"),
    "latin-1": lambda: io.TextIOWrapper(io.BytesIO(), "latin-1"),
    "full": lambda: open("/dev/full", "w"),  # noqa: SIM115
    "left": lambda: _broken(32),
    "none": lambda: None,
}
COLUMNS = (None, "", "0", "1", "-7", "40", "999999999999")
ERRORS = ("UTF-8", "ASCII", "full", "none")


def _spoken(stream):
    if isinstance(stream, io.TextIOWrapper) and isinstance(stream.buffer, io.BytesIO):
        stream.flush()
        return stream.buffer.getvalue().decode(stream.encoding)
    return ""


def run_odd(monkeypatch, words, out, err, columns=None, term="xterm"):
    """Run a command in this process on such streams; return its exit code and what it said."""
    out, err = STREAMS[out](), STREAMS[err]()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["rosetta", *words])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.setenv("TERM", term)
        patch.delenv("COLUMNS", raising=False)
        if columns is not None:
            patch.setenv("COLUMNS", columns)
        with pytest.raises(SystemExit) as end:
            app.main()
        return end.value.code, _spoken(out), _spoken(err)


def check_odd(monkeypatch, name, *more):
    code, out, err = run_odd(monkeypatch, COMMANDS[name], *more)
    case = (name, *more, code, err[-300:])
    assert code in CODES, case
    assert "Traceback" not in out + err, case
    assert all(c.isprintable() or c == "\n" for c in err), case
    if name.startswith(("no ", "seed", "JSON", "weights", "data", "nothing")) and more[1] in ("UTF-8", "ASCII"):
        assert code == 2 and "rror" in err, case
    if more[1] == "UTF-8" and code == 2 and more[0] not in ("full", "left"):
        assert len(err) > 20, case


def test_odd_streams(monkeypatch, tmp_path):
    """A few of them; all are in the long tier."""
    monkeypatch.chdir(tmp_path)
    for name in ("version", "no list", "seed below", "no place for JSON", "weights into a folder", "no data"):
        for out, err in (("UTF-8", "UTF-8"), ("ASCII", "ASCII"), ("full", "UTF-8"), ("left", "full"), ("none", "none")):
            check_odd(monkeypatch, name, out, err)
    assert not list(tmp_path.iterdir()), "something was made although nothing could be done"


@pytest.mark.long
def test_every_command_on_every_odd_stream(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    cases: list[tuple[str | None, ...]] = [
        (name, out, err, None, "xterm") for name, out, err in itertools.product(COMMANDS, STREAMS, ERRORS)
    ]
    for term, columns in itertools.product(("dumb", "xterm"), COLUMNS):
        cases += [(name, "UTF-8", "UTF-8", columns, term) for name in ("help", "runs", "no run", "code")]
    for case in cases:
        check_odd(monkeypatch, *case)
    assert len(cases) == 872, len(cases)
    assert not list(tmp_path.iterdir())


def test_a_full_output_is_said_and_a_reader_that_left_is_not(monkeypatch):
    code, _, err = run_odd(monkeypatch, ["--version"], "full", "UTF-8")
    assert (code, err) == (2, "error: Standard output can't be written: No space left on device.\n")
    code, _, err = run_odd(monkeypatch, ["--version"], "left", "UTF-8")
    assert (code, err) == (141, "")
    code, out, _ = run_odd(monkeypatch, ["--version"], "UTF-8", "full")
    assert code == 0 and out.startswith("rosetta "), "who doesn't read what is said meanwhile changes nothing"


def test_what_an_encoding_lacks_is_spelled():
    stream = io.TextIOWrapper(io.BytesIO(), "ascii", errors="strict")
    stream.reconfigure(errors="rosetta.spelled")
    stream.write("2×3 ≤ ε… ┃━┏ é \udcff 語")
    stream.flush()
    assert stream.buffer.getvalue() == rb"2x3 <= epsilon... |-+ e \udcff \u8a9e"


@pytest.mark.parametrize(
    ("given", "made"),
    [("", None), ("0", None), ("-5", None), ("x", None), ("1", "40"), ("99", "99"), ("9" * 30, "1000")],
)
def test_columns_are_mended(monkeypatch, given, made):
    monkeypatch.setenv("COLUMNS", given)
    streams.mend_width()
    assert os.environ.get("COLUMNS") == made


# ---------------------------------------------------------------- processes of their own


def process(*words, shell="", **options):
    line = [sys.executable, "-m", "rosetta", *words]
    command = ["bash", "-c", f'"$@" {shell}', "bash", *line] if shell else line
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


@pytest.mark.parametrize("shell", [">&-", "2>&-", "<&-", "<&- >&- 2>&-", ">/dev/full", "| true; exit ${PIPESTATUS[0]}"])
def test_real_streams(shell):
    done = process("--version", shell=shell)
    assert done.returncode == {">/dev/full": 2}.get(shell, done.returncode) and done.returncode in (0, 2, 141)
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 1


@pytest.mark.long
def test_a_run_that_nobody_reads_is_whole(tmp_path):
    """Neither a reader of the progress that left nor a full standard output ends it."""
    words = ["verify", "mnist_mlp", "--frameworks", Path(__file__).parent / "frameworks", "--with", "fake"]
    done = process(*map(str, words), "--out", str(tmp_path / "run"), shell=">/dev/full 2> >(true)")
    assert done.returncode == 2
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "end" and json.loads((tmp_path / "run" / "result.json").read_text())["complete"]


def test_another_encoding():
    plain = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = process("list", "contenders", env=plain)
    assert done.returncode == 0 and done.stdout.isascii() and "torch[compile]" in done.stdout


def test_a_working_directory_that_is_gone(tmp_path):
    program = "import os, sys; os.rmdir(os.getcwd()); sys.argv = ['rosetta', *sys.argv[1:]]; import rosetta.__main__"
    (tmp_path / "gone").mkdir()
    command = [sys.executable, "-c", program, "run", "mnist_mlp", "--with", "numpy"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "gone")
    assert (done.returncode, done.stderr) == (2, "error: The working directory has been deleted.\nChange to another.\n")


@pytest.mark.parametrize("module", ["rosetta.cli", "rosetta.cli.app"])
def test_modules_that_run_are_the_command_line(module):
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("rosetta ")


@pytest.mark.parametrize("module", ["rosetta.cli.streams", "rosetta.cli.commands", "typer", "rich.table"])
def test_ctrl_c_while_it_starts(module):
    """Interrupted as that module begins to be imported: no traceback, whatever is half imported."""
    program = f"""
import os, signal, sys
import rosetta.cli.app

class Interrupt:
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt)
sys.argv = ["rosetta", "list", "contenders"]
rosetta.cli.app.main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_interrupted_leaves_nothing(tmp_path, number):
    program = """
import sys, time
import rosetta
from rosetta.cli.app import main
from rosetta.files import replacing
from rosetta.models.session import temporary_folder

def convert(file, *_, **__):
    with temporary_folder(), replacing(file):
        print("at work", flush=True)
        time.sleep(60)

rosetta.convert = convert
main()
"""
    command = [sys.executable, "-c", program, "convert", tmp_path / "w.safetensors", "--to", "torch"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout.readline() == "at work\n"
        assert len(list(tmp_path.iterdir())) == 2
        process.send_signal(number)
        assert process.communicate(timeout=10)[1] == ""
    assert process.returncode == 128 + number and not list(tmp_path.iterdir())


# ---------------------------------------------------------------- before any work


@pytest.mark.parametrize("make", ["folder", "fifo", "link", "device", "no folder", "a file's", "long"])
def test_places_where_no_file_can_be_written(tmp_path, make):
    path = tmp_path / "x"
    match make:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "link":
            path.symlink_to(tmp_path / "elsewhere")
        case "device":
            path = Path("/dev/null")
        case "no folder":
            path = tmp_path / "none" / "x"
        case "a file's":
            path.write_text("")
            path = path / "x"
        case "long":
            path = tmp_path / ("x" * 300)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError):
        check_place(path)
    assert sorted(tmp_path.iterdir()) == before


def test_places_where_one_can(tmp_path, monkeypatch):
    (tmp_path / "there").write_text("old")
    check_place(tmp_path / "there")
    check_place(tmp_path / "new")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError) as refused:
        check_place(tmp_path / "new")
    remedy = storage_error(refused.value).remedy
    assert "permissions" in remedy and "space" not in remedy


@pytest.mark.parametrize("seed", [-1, LARGEST_SEED + 1, 10**30])
def test_seeds_that_seed_nothing(seed):
    with pytest.raises(RosettaError, match="can't be a seed"):
        check_seed(seed)


def test_a_relative_cache_is_absolute(monkeypatch):
    monkeypatch.setenv("ROSETTA_CACHE", "cache")
    assert cache_folder() == Path.cwd() / "cache"


HOLDING = """
import sys
from pathlib import Path
from rosetta.environments import build
build._hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_an_environment_in_use_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("ROSETTA_CACHE", str(tmp_path))
    for name in ("mine-1", "used-2"):
        (tmp_path / "environments" / name).mkdir(parents=True)
        record: dict[str, object] = {"contender": name, "packages": [], "seconds": 1.0}
        (tmp_path / "environments" / name / "rosetta.json").write_text(json.dumps(record))
    used = tmp_path / "environments" / "used-2"
    command = [sys.executable, "-c", HOLDING, str(used)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        code, out, err = run_odd(monkeypatch, ["env", "remove", "all"], "UTF-8", "UTF-8")
        holder.stdin.close()
    assert code == 2 and out == "removed mine-1\n" and "used-2 is in use" in err
    assert [environment.folder for environment in environments.existing()] == [used]
    environments.remove("used-2")
    assert not list(environments.existing())
