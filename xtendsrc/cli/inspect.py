"""``xtendsrc inspect PATH``: what an ObsID holds, and where its files differ from what is assumed."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from xtendsrc.archive.findings import Finding
    from xtendsrc.archive.layout import ObservationFiles

WIDTH = 110


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``xtendsrc``."""
    parser = subparsers.add_parser(
        "inspect",
        help="list what an ObsID holds and where it differs from what is assumed",
        description="List the files of an ObsID by role, and every place where they differ from what xtendsrc assumes. "
        "Exits with 1 if something would make products fail or be wrong.",
    )
    parser.add_argument("path", help="directory of an ObsID, or an archive folder with several")
    parser.add_argument("--output", help="output directory whose own processing is preferred")
    parser.add_argument(
        "--events", default="cl", metavar="NAME", help="event files called ..._NAME.evt, * allowed (cl)"
    )
    parser.add_argument("--no-notes", action="store_true", help="errors and warnings only")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Inspect every ObsID below the path; 1 if one has errors."""
    from xtendsrc.archive.inspect import inspect
    from xtendsrc.archive.layout import discover, find_observations
    from xtendsrc.errors import XtendsrcError

    worst = 0
    for path in find_observations(args.path) or [Path(args.path)]:
        try:
            _print_files(discover(path, args.output, args.events))
            findings = inspect(path, args.output, args.events)
        except XtendsrcError as error:
            print(f"error: {error}")
            worst = 1
            continue
        _print_findings(findings, notes=not args.no_notes)
        worst = max(worst, int(any(f.severity == "error" for f in findings)))
    return worst


def _print_files(files: ObservationFiles) -> None:
    print(f"ObsID {files.obs_id}  {files.path}")
    for role, paths in files.auxiliary.items():
        _print_role(role, paths)
    for code, dataclass in files.dataclasses.items():
        print(f"  data class {code}{' (own processing)' if dataclass.own else ''}: {_facts(files, code)}")
        for role in ("events", "uf_events", "bimg", "fpix"):
            _print_role(role, getattr(dataclass, role), indent=4)


def _print_role(role: str, paths: Sequence[Path], indent: int = 2) -> None:
    for path in paths:
        size = f"{path.stat().st_size / 1e6:9.2f} MB" if path.is_file() else "no regular file"
        print(f"{' ' * indent}{role:<10} {path.name:<50} {size}")


def _facts(files: ObservationFiles, code: str) -> str:
    from xtendsrc.errors import XtendsrcError
    from xtendsrc.events.eventlist import EventList
    from xtendsrc.instrument import DataClassCode

    try:
        what = DataClassCode.parse(code)
        events = EventList.read(files.dataclasses[code].events)
        exposure = f"{events.exposure:.1f} s live of {events.ontime:.1f} s in {len(events.gti)} GTIs"
    except XtendsrcError:
        return "cannot be read, see below"
    mode = f"CCD{','.join(map(str, what.ccds))}, {what.window} window{', burst' if what.burst else ''}"
    return f"{mode}, frame {what.frame_time} s, {exposure}, {len(events)} events"


def _print_findings(findings: Sequence[Finding], notes: bool) -> None:
    counts = {s: sum(f.severity == s for f in findings) for s in ("error", "warning", "note")}
    print(f"  {counts['error']} errors, {counts['warning']} warnings, {counts['note']} notes")
    for finding in findings:
        if finding.severity != "note" or notes:
            head = f"  {finding.severity.upper():<8} {finding.subject}  [{Path(finding.file).name}]"
            text = f"assumed {finding.assumed}; found {finding.found}. {finding.consequence}"
            print(head)
            print(textwrap.fill(text, WIDTH, initial_indent=" " * 11, subsequent_indent=" " * 11))
    print()
