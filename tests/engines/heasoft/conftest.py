"""A HEADAS of tiny shell scripts: each misbehaves in one way that a real task does."""

import itertools
import os
import stat
from pathlib import Path

import pytest

PAR = """# a comment
infile,fr,a,"",,,"Name of the input file"
outfile,fw,a,"",,,"Name of the output file, or NONE"
how,s,h,"ok",,,"What to do"
number,i,h,7,0,100,"A number, with a comma"
grade,s,h,"0,2,3,4,6",,,'Grades'
side,s,h,"SKY",SKY|DET,,"Frame"
width,r,h,1.5,0.1,,"Width"
clobber,b,h,no,,,"Overwrite?"
logfile,s,h,"!DEFAULT",,,"Log"
answer,s,hl,"",,,"An output"
mode,s,h,"ql",,,"Mode"
"""

SCRIPT = r"""#!/bin/sh
for word in "$@"; do
  case "$word" in
    infile=*) infile="${word#infile=}" ;;
    outfile=*) outfile="${word#outfile=}" ;;
    how=*) how="${word#how=}" ;;
    number=*) number="${word#number=}" ;;
  esac
done
echo "running $how"
pf="${PFILES%%;*}"
write() {
  { echo "cwd=$(pwd)"; echo "pfiles=$pf"; echo "number=$number"; cat "$infile"; printf '%s\n' "$@"; } > "$outfile"
}
case "$how" in
  ok) write "$@" ;;
  nothing) ;;
  ignored) write; echo "Warning: No region information read from x.reg"; echo "Ignoring region filtering..." ;;
  unknown) echo "Parameter name not found: eventsout"; exit 0 ;;
  fails) echo "ERROR: could not open file"; exit 104 ;;
  crash) kill -SEGV $$ ;;
  hang) sleep 1000 & echo $! > "$(cat "$infile")"; wait ;;
  orphan) sleep 1000 & echo $! > "$(cat "$infile")"; echo made > "$outfile" ;;
  asks) echo "Name of the file?"; read answer || answer=nobody; echo "$answer" > "$outfile" ;;
  litter) sleep 0.05; echo "$number" > tmp_fix.txt; sleep 0.05; cat tmp_fix.txt > "$outfile" ;;
  answers)
    write
    sed 's/^answer,s,hl,"",/answer,s,hl,"1215.5",/' "$pf/prober.par" > "$pf/new"
    mv "$pf/new" "$pf/prober.par" ;;
  long) write; test "$(echo "$@" | wc -c)" -gt 975 && kill -SEGV $$ ;;
esac
exit 0
"""


@pytest.fixture
def headas(tmp_path, monkeypatch):
    root = tmp_path / "headas"
    for name in ("bin", "syspfiles"):
        (root / name).mkdir(parents=True)
    add_task(root, "prober")
    add_task(root, "fversion", "mode,s,h,'h',,,\n", "#!/bin/sh\necho 18Oct2025_V6.36.1\n")
    for name in ("CALDB", "CALDBCONFIG", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEADAS", str(root))
    return root


def add_task(root, name, par=PAR, script=SCRIPT):
    (root / "syspfiles" / f"{name}.par").write_text(par)
    program = root / "bin" / name
    program.write_text(script)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def untouched(headas):
    """The test must leave this process's environment and working directory as they were."""
    ours = {"PFILES", "HEADASNOQUERY", "HEADASPROMPT", "TMPDIR", "HEADAS", "PATH", "PERL5LIB"}
    before = {k: os.environ.get(k) for k in ours}, Path.cwd()
    yield
    assert before[1] == Path.cwd()
    assert {k: v for k, v in before[0].items() if k != "PFILES"} == {k: os.environ.get(k) for k in ours - {"PFILES"}}


@pytest.fixture
def new_task(headas):
    """Install one more task: ``new_task(name, par, script)``."""

    def make(name, par, script):
        add_task(headas, name, par, script)

    return make


@pytest.fixture
def prober(headas, tmp_path):
    """Call the misbehaving task: ``prober(how)`` -> TaskResult."""
    from xtendsrc.engines import heasoft

    source = tmp_path / "input.txt"
    source.write_text("42 events\n")
    place = tmp_path / "made"
    place.mkdir()
    number_of_call = itertools.count()

    def call(how, *, file=source, runner=None, timeout=20.0, **parameters):
        installed = heasoft.installation()
        request = heasoft.Call(
            task="prober",
            parameters={"infile": "in.txt", "outfile": "out.txt", "how": how, **parameters},
            links={"in.txt": file},
            outputs=("out.txt",),
        )
        target = place / f"{how}{next(number_of_call)}"
        target.mkdir()
        return heasoft.run(request, target, installed, runner, timeout)

    return call
