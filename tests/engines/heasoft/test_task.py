"""One call of one task: every way it can go wrong ends in an error, and nothing of this process is touched."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from xtendsrc.engines import heasoft
from xtendsrc.errors import (
    EngineUnavailableError,
    InputNotFoundError,
    TaskCancelledError,
    TaskError,
    TaskParameterError,
    TaskTimeoutError,
)
from xtendsrc.settings import settings

pytestmark = pytest.mark.usefixtures("untouched")


def scratch():
    return set(Path(os.environ.get("TMPDIR", "/tmp")).glob(f"xt*-{os.getpid()}-*"))


@pytest.fixture(autouse=True)
def no_debris():
    """Every test must leave the scratch directory as it found it."""
    before = scratch()
    yield
    assert scratch() <= before


def gone(pid, seconds=5.0):
    """Whether a process ends (or is only waiting to be reaped) within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_output_log_and_provenance_are_kept(prober):
    result = prober("ok", number=12)
    text = result.outputs["out.txt"].read_text()
    assert "42 events" in text
    assert "number=12" in text
    assert result.log.read_text() == result.output == "running ok\n"
    assert "number=12" in result.command.split()
    assert "'number': '12'" in result.heasoftpy_call
    assert result.heasoftpy_call.startswith("heasoftpy.HSPTask('prober')(")


def test_every_parameter_is_given_and_no_question_is_left(prober):
    lines = prober("ok").outputs["out.txt"].read_text().splitlines()
    assert {"how=ok", "number=7", "side=SKY", "width=1.5", "clobber=yes", "logfile=NONE", "mode=hl"} <= set(lines)


def test_the_private_directory_is_short_and_not_ours(prober):
    lines = dict(line.split("=", 1) for line in prober("ok").outputs["out.txt"].read_text().splitlines() if "=" in line)
    assert len(lines["cwd"]) < 100
    assert lines["cwd"] != str(Path.cwd())
    assert Path(lines["pfiles"]).parent == Path(lines["cwd"]).parent


def test_learned_values_of_the_user_are_never_used(prober, headas, tmp_path, monkeypatch):
    mine = tmp_path / "pfiles"
    mine.mkdir()
    learned = (headas / "syspfiles/prober.par").read_text().replace("number,i,h,7", "number,i,h,99")
    (mine / "prober.par").write_text(learned)
    monkeypatch.setenv("PFILES", f"{mine};{headas}/syspfiles")
    assert "number=7" in prober("ok").outputs["out.txt"].read_text()
    assert (mine / "prober.par").read_text() == learned


def test_output_parameters_are_read_back(prober):
    assert prober("answers").parameters["answer"] == "1215.5"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("nothing", "did not write out.txt"),
        ("ignored", "No region information read"),
        ("unknown", "Parameter name not found"),
        ("fails", "code 104.*could not open"),
        ("crash", "crashed with signal SIGSEGV"),
    ],
)
def test_a_task_that_did_not_do_it(prober, how, message):
    with pytest.raises(TaskError, match=message) as caught:
        prober(how)
    assert f"running {how}" in caught.value.log


def test_the_log_of_a_failure_is_a_file_too(prober, tmp_path):
    with pytest.raises(TaskError):
        prober("nothing")
    (log,) = tmp_path.glob("made/nothing*/prober.log")
    assert log.read_text() == "running nothing\n"
    assert not list(tmp_path.glob("made/*/out.txt"))


def test_a_hanging_task_is_stopped_with_its_children(prober, tmp_path):
    pid_file = tmp_path / "pid"
    where = tmp_path / "where.txt"
    where.write_text(str(pid_file))
    started = time.monotonic()
    with pytest.raises(TaskTimeoutError, match=r"longer than 0\.5 s"):
        prober("hang", file=where, timeout=0.5)
    assert time.monotonic() - started < 5
    assert gone(int(pid_file.read_text()))


def test_what_a_task_leaves_running_is_stopped(prober, tmp_path):
    pid_file = tmp_path / "pid"
    where = tmp_path / "where.txt"
    where.write_text(str(pid_file))
    assert prober("orphan", file=where).outputs["out.txt"].read_text() == "made\n"
    assert gone(int(pid_file.read_text()))


def test_cancelling_stops_every_running_task(prober, tmp_path):
    pid_file = tmp_path / "pid"
    where = tmp_path / "where.txt"
    where.write_text(str(pid_file))
    errors = []

    def work():
        try:
            prober("hang", file=where)
        except TaskError as problem:
            errors.append(problem)

    thread = threading.Thread(target=work)
    thread.start()
    while not (pid_file.exists() and pid_file.read_text()):
        time.sleep(0.01)
    assert heasoft.cancel_running() >= 1
    thread.join(10)
    assert [type(e) for e in errors] == [TaskCancelledError]
    assert gone(int(pid_file.read_text()))


def test_a_question_gets_no_answer_and_does_not_hang(prober):
    assert prober("asks", timeout=5).outputs["out.txt"].read_text() == "nobody\n"


def test_an_unknown_parameter_is_refused_before_anything_runs(prober):
    with pytest.raises(TaskParameterError, match="did you mean number"):
        prober("ok", nummer=3)
    with pytest.raises(TaskParameterError, match="between 0 to 100"):
        prober("ok", number=101)


def test_a_missing_input_is_named(prober, tmp_path):
    with pytest.raises(InputNotFoundError, match=r"gone\.evt"):
        prober("ok", file=tmp_path / "gone.evt")


def test_a_task_that_is_not_installed(headas, tmp_path):
    with pytest.raises(EngineUnavailableError, match="xaarfgen is not installed"):
        heasoft.run(heasoft.Call(task="xaarfgen", parameters={}), tmp_path, heasoft.installation())


@pytest.mark.parametrize("name", ["sp ace.evt", "quo'te\".evt", "ünïcödé 漢字.evt", "br[0]ack(et)s.evt", "-dash.evt"])
def test_strange_names_of_inputs_do_no_harm(prober, tmp_path, name):
    file = tmp_path / name
    file.write_text("7 events\n")
    assert "7 events" in prober("ok", file=file).outputs["out.txt"].read_text()


def test_deep_paths_do_no_harm(prober, tmp_path):
    deep = tmp_path
    for number in range(12):
        deep /= f"a_rather_long_directory_name_{number:02d}"
    deep.mkdir(parents=True)
    (deep / "events.evt").write_text("9 events\n")
    assert len(str(deep)) > 350
    assert "9 events" in prober("ok", file=deep / "events.evt").outputs["out.txt"].read_text()


def test_long_command_lines_are_shortened_or_refused(new_task, headas, tmp_path):
    names = [f"parameter_number_{n}" for n in range(40)]
    par = "outfile,s,a,none,,,\n" + "".join(f"{n},s,h,some_default_value,,,\n" for n in names) + "mode,s,h,h,,,\n"
    crash = '#!/bin/sh\ntest "$(echo "$0" "$@" | wc -c)" -gt 963 && kill -SEGV $$\necho "$@" > out.txt\n'
    new_task("extractor", par, crash)
    installed = heasoft.installation()
    call = heasoft.Call(task="extractor", parameters={"outfile": "out.txt", names[3]: "other"}, outputs=("out.txt",))
    result = heasoft.run(call, tmp_path, installed)
    assert f"{names[3]}=other" in result.outputs["out.txt"].read_text()
    assert result.command.count("some_default_value") == 39
    long = heasoft.Call(task="extractor", parameters={"outfile": "x" * 950}, outputs=("out.txt",))
    with pytest.raises(TaskParameterError, match="crashes beyond"):
        heasoft.run(long, tmp_path, installed)


def test_fixed_temporary_names_do_not_mix_in_threads(prober):
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: prober("litter", number=n), range(24)))
    assert [int(r.outputs["out.txt"].read_text()) for r in results] == list(range(24))


def test_threads_have_their_own_parameter_files(prober):
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda n: prober("ok", number=n).outputs["out.txt"].read_text(), range(40)))
    assert all(f"number={n}\n" in text for n, text in enumerate(texts))
    places = {line for text in texts for line in text.splitlines() if line.startswith("pfiles=")}
    assert len(places) == 40


def test_scratch_with_a_strange_name_is_refused(prober, tmp_path):
    strange = tmp_path / "with ; semicolon"
    strange.mkdir()
    with settings(scratch=strange), pytest.raises(TaskError, match="short, plain"):
        prober("ok")


def test_a_runner_that_is_not_there(prober):
    with settings(runner="heasoftpy"), pytest.raises(EngineUnavailableError, match="heasoftpy is not installed"):
        prober("ok")


def test_debris_of_a_killed_process_is_swept(tmp_path):
    base = tmp_path / "scratch"
    base.mkdir()
    import subprocess
    import sys

    code = (
        "import os, pathlib, subprocess, time\n"
        "from xtendsrc.engines.heasoft.workspace import make_root\n"
        f"root = make_root(pathlib.Path({str(base)!r}))\n"
        "p = subprocess.Popen(['sleep', '1000'], cwd=root, start_new_session=True, stdout=-3, stderr=-3)\n"
        "print(p.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20)
    assert len(list(base.iterdir())) == 1
    assert heasoft.sweep(base) == 1
    assert list(base.iterdir()) == []
    assert gone(int(done.stdout))


def test_a_living_process_is_not_swept(tmp_path):
    from xtendsrc.engines.heasoft.workspace import make_root

    root = make_root(tmp_path)
    assert heasoft.sweep(tmp_path) == 0
    assert root.is_dir()


def test_the_first_use_of_a_scratch_directory_clears_it_of_the_dead(tmp_path):
    import subprocess
    import sys

    from xtendsrc.engines.scratch import scratch_directory

    base = tmp_path / "scratch"
    base.mkdir()
    code = (
        "import os, pathlib\n"
        "from xtendsrc.engines.scratch import scratch_directory\n"
        f"with scratch_directory(pathlib.Path({str(base)!r})) as path:\n"
        "    (path / 'half').write_text('x')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False, timeout=20)
    (base / "of another program").mkdir()
    assert len(list(base.glob("*/half"))) == 1
    with scratch_directory(base) as mine:
        assert sorted(p.name for p in base.iterdir()) == ["of another program", mine.name]
    assert [p.name for p in base.iterdir()] == ["of another program"]


def test_a_scratch_directory_that_is_a_file_is_named(tmp_path):
    from xtendsrc.engines.scratch import scratch_directory
    from xtendsrc.errors import ProductError

    wrong = tmp_path / "file"
    wrong.write_text("x")
    with settings(scratch=wrong), pytest.raises(ProductError, match="file cannot be used"), scratch_directory():
        pass


def test_a_container_that_does_not_see_the_owner_leaves_its_scratch_alone(tmp_path):
    """Two containers share a temporary directory, but not the numbers of their processes."""
    import shutil
    import subprocess
    import sys

    from xtendsrc.engines.scratch import scratch_directory, sweep

    namespace = [shutil.which("unshare") or "unshare", "--user", "--map-root-user", "--pid", "--fork"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs unshare and the right to make namespaces")
    code = (
        "import pathlib, sys, time\n"
        "from xtendsrc.engines.scratch import scratch_directory\n"
        f"with scratch_directory(pathlib.Path({str(tmp_path)!r})) as path:\n"
        "    print(path, flush=True)\n"
        "    sys.stdin.read()\n"
        "    print((path / 'kept').exists(), flush=True)\n"
    )
    with subprocess.Popen([*namespace, sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as other:
        path = Path(other.stdout.readline().strip())
        (path / "kept").touch()
        assert sweep(tmp_path) == 0
        with scratch_directory(tmp_path):
            pass
        assert other.communicate("", timeout=20)[0].strip() == "True"
    assert not list(tmp_path.glob("xt*"))
