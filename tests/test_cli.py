"""The command line as a user meets it, in processes of its own: answers, exit codes, one sentence for every mistake."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from evenhand import config_file

REPOSITORY = Path(__file__).parents[1]


def evenhand(*arguments: object, folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Calls the installed command in `folder`."""
    command = [str(Path(sys.executable).with_name("evenhand")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300, check=False)


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs `code` in a fresh interpreter."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=60, check=False)


def test_help_names_every_command_and_no_arguments_mean_help() -> None:
    done = evenhand("--help")
    assert done.returncode == 0
    for command in ("run", "inspect", "recipes", "generate", "export", "predict", "score", "report", "compile"):
        assert f"\n  {command} " in done.stdout
    assert evenhand().stdout == done.stdout


@pytest.mark.parametrize(
    "command", ["run", "inspect", "recipes", "generate", "export", "predict", "score", "report", "compile"]
)
def test_every_command_explains_itself_and_can_be_quiet(command: str) -> None:
    done = evenhand(command, "--help")
    assert done.returncode == 0
    assert "--quiet" in done.stdout
    assert "--verbose" in done.stdout


def test_version() -> None:
    from evenhand import __version__

    assert evenhand("--version").stdout == f"evenhand {__version__}\n"


def test_recipes_are_listed_and_printed_as_configs() -> None:
    listed = evenhand("recipes")
    assert listed.returncode == 0
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    assert names == sorted(config_file.recipes())
    assert evenhand("recipes", "-q").stdout.split() == names
    for name in names:
        assert yaml.safe_load(evenhand("recipes", name).stdout)["name"] == name


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["frobnicate"], "No such command 'frobnicate'."),
        (["rnu"], "Did you mean 'run'?\n"),
        (["run", "--colour"], "No such option: --colour"),
        (["generate", "somewhere"], "Missing option '--per-class'."),
        (["recipes", "digit"], "digit: is not a recipe; did you mean 'digits'."),
        (["run", "nowhere.yaml"], "nowhere.yaml: there is no such config file; check the path."),
        (["run", "--set", "training.step=3"], "training.step: is an unknown key; did you mean 'steps'."),
        (["run", "--dry-run", "--set", "classifier.name=resnet"], "classifier.name: unknown name 'resnet'"),
        (["compile", "digit", "-o", "x.json"], "digit: is neither a config file nor a recipe"),
        (["inspect", "nowhere"], "nowhere: is no source that exists"),
        (["report", "."], "holds no"),
        (
            ["generate", ".", "--per-class", "1", "--output", "x", "--seed", str(2**63 - 1)],
            "Invalid value for '--seed'",
        ),
        (["report", ".", "--card", "foo"], "evenhand: Invalid value for '--card': 'foo' is not one of 'model', 'data'"),
        (
            ["generate", ".", "--per-class", "0", "--output", "x"],
            "evenhand: Invalid value for '--per-class': should be greater than or equal to 1.\n",
        ),
        (
            ["generate", ".", "--per-class", "many", "--output", "x"],
            "evenhand: Invalid value for '--per-class': should be a valid integer.\n",
        ),
        (["generate", ".", "--per-class", "1", "--output", "x"], ".: holds no finished run of evenhand"),
        (["export", ".", "--what", "synthetic", "--format", "npz", "--output", "x.npz"], ".: holds no finished run"),
        (["predict", ".", "x.png"], ".: holds no finished run of evenhand"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    done = evenhand(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("evenhand: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_output_folder_with_other_files_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("words")
    for more in ([], ["--dry-run"]):
        done = evenhand("run", "--output", tmp_path, *more)
        assert done.returncode == 2
        assert done.stderr == (
            f"evenhand: {tmp_path}: holds files that are not a run of evenhand; "
            "name a new folder or an empty one with --output.\n"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_unwritable_output_is_refused() -> None:
    done = evenhand("run", "--output", "/dev/null/run")
    assert done.returncode == 2
    assert done.stderr.startswith("evenhand: /dev/null/run: cannot be written (Not a directory); ")


def test_a_source_that_does_not_exist_leaves_no_output_folder(tmp_path: Path) -> None:
    done = evenhand("run", "--set", "data={source: folder, path: nowhere}", "--output", "runs/a", folder=tmp_path)
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not done.stdout, "it is told before TensorFlow is started"
    assert not list(tmp_path.iterdir())


SESSION = """
import sys, time
from pathlib import Path
from evenhand import progress
from evenhand.cli.session import session
from evenhand.errors import EvenhandError, UserError
from evenhand.pipeline.stages import StageEvent

def work():
    {work}

try:
    with session(Path(sys.argv[1]), quiet={quiet}, verbose={verbose}) as display:
        work()
except EvenhandError as error:
    print(type(error).__name__, error.exit_code, error)
"""


def in_session(log: Path, work: str, *, quiet: bool = False, verbose: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs `work` as a command would; `display` is at hand."""
    return python(SESSION.format(work=work, quiet=quiet, verbose=verbose), log)


def test_a_defect_is_one_sentence_and_its_traceback_is_in_the_log(tmp_path: Path) -> None:
    done = in_session(tmp_path / "run.log", "print('noise'); raise KeyError('k')")
    assert done.stdout == f"Defect 1 a defect of ours: KeyError: 'k'; the log is {tmp_path / 'run.log'}.\n"
    assert done.stderr == ""
    assert "Traceback" in (tmp_path / "run.log").read_text()
    assert "noise" in (tmp_path / "run.log").read_text()
    assert "Traceback" in in_session(tmp_path / "run.log", "raise KeyError('k')", verbose=True).stderr


def test_a_users_mistake_is_found_inside_what_a_library_made_of_it(tmp_path: Path) -> None:
    done = in_session(
        tmp_path / "run.log",
        "try: raise UserError('a.png', 'is damaged', 'mend it')\n"
        "    except UserError as error: raise RuntimeError('in a worker') from error",
    )
    assert done.stdout == "UserError 2 a.png: is damaged; mend it.\n"


STAGES = """for index, name in enumerate(["ExampleGen", "Trainer"]):
        display.stage(StageEvent(name, index, 2, "started"))
        for step in (1, 50, 100):
            progress.advance("train " + name, step, 100, "step", {"loss": 0.25})
            time.sleep(0.3)
        display.stage(StageEvent(name, index, 2, "cached" if index else "done", 1.234))"""


def test_without_a_terminal_each_finished_stage_is_a_plain_line(tmp_path: Path) -> None:
    lines = in_session(tmp_path / "run.log", STAGES).stdout.splitlines()
    assert [line.split() for line in lines] == [["[1/2]", "ExampleGen", "1.2", "s"], ["[2/2]", "Trainer", "cached"]]
    assert in_session(tmp_path / "run.log", STAGES, quiet=True).stdout == ""


def test_on_a_terminal_a_live_line_shows_step_loss_and_time_left(tmp_path: Path) -> None:
    code = SESSION.format(work=STAGES, quiet=False, verbose=False)
    parent, child = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run.log")],
        stdout=child,
        cwd=REPOSITORY,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(child)
        shown = b""
        while select.select([parent], [], [], 30)[0]:
            try:
                shown += os.read(parent, 4096)
            except OSError:  # the other end is closed
                break
        os.close(parent)
    assert process.returncode == 0
    text = shown.decode()
    assert "train Trainer" in text
    assert "step 50/100  loss 0.25" in text
    assert "left" in text
    assert "[2/2] Trainer" in text


@pytest.mark.parametrize(("sent", "told"), [(signal.SIGTERM, "Terminated"), (signal.SIGINT, "KeyboardInterrupt")])
def test_a_signal_ends_the_work_and_gives_the_terminal_back(tmp_path: Path, sent: signal.Signals, told: str) -> None:
    work = 'display.say("working"); time.sleep(60)'
    code = SESSION.format(work=work, quiet=False, verbose=False).replace(
        "except EvenhandError as error:", "except BaseException as error:\n    error.exit_code = 0"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run.log")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(sent)
        assert told in process.stdout.read()


@pytest.mark.parametrize(("sent", "code", "told"), [("SIGTERM", 143, "evenhand: interrupted.\n"), ("SIGINT", 130, "")])
def test_a_signal_while_a_plan_is_made_leaves_no_traceback(sent: str, code: int, told: str) -> None:
    done = python(
        f"""
import os, signal, sys, time, types
from evenhand.cli import main

def plan(config):
    os.kill(os.getpid(), signal.{sent})
    time.sleep(60)

slow = types.ModuleType("evenhand.pipeline.plan")
slow.plan = slow.Plan = plan
sys.modules["evenhand.pipeline.plan"] = slow
sys.argv = ["evenhand", "run", "--dry-run"]
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", told)


def test_inspect_counts_what_a_folder_holds(tmp_path: Path) -> None:
    for name, count in (("owl", 6), ("robin", 3)):
        (tmp_path / "birds" / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (20, 10 + number), (number, len(name), 0)).save(
                tmp_path / "birds" / name / f"{number}.png"
            )
    (tmp_path / "birds" / "owl" / "copy.png").write_bytes((tmp_path / "birds" / "owl" / "0.png").read_bytes())
    (tmp_path / "birds" / "robin" / "words.png").write_text("plain words")
    done = evenhand("inspect", "birds", "--set", "data.splits.test=0.3", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    assert rows["owl"][1] == "7"
    assert rows["robin"][1] == "3"
    assert "imbalance ratio  2.3" in done.stdout
    assert "duplicates       1" in done.stdout
    assert "left out         1" in done.stdout
    assert "robin/words.png: " in done.stdout
    assert "20 px wide, 10 to 15 px" in done.stdout
    strict = evenhand("inspect", "birds", "--set", "data.strict=true", folder=tmp_path)
    assert strict.returncode == 2
    assert "words.png" in strict.stderr
    assert strict.stderr.count("\n") == 1


def test_inspect_knows_a_source_by_its_name(tmp_path: Path) -> None:
    digits = evenhand("inspect", "digits")
    assert digits.returncode == 0, digits.stderr
    assert "1797" in digits.stdout
    np.savez(tmp_path / "set.npz", x_train=np.zeros((4, 8, 8), np.uint8), y_train=np.array([0, 0, 1, 1]))
    assert "source           npz: " in evenhand("inspect", tmp_path / "set.npz").stdout
