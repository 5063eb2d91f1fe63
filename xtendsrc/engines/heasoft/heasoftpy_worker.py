"""A child interpreter that calls heasoftpy for its parent: one JSON line in, one JSON line out.

Started as a script, in a working directory and an environment (PFILES) that stay its own for life. It must not
import the rest of the package. When the parent is gone it removes its directory and ends.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any, BinaryIO


def take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keep the two pipes for the parent; give tasks a closed stdin and a stdout that is not the answer pipe."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    return requests, answers


def controls(task: Any) -> dict[str, Any]:
    """Say how heasoftpy shall behave, by the names that do not reach a parameter of the task."""
    own = set(getattr(task, "params", None) or ()) | set(getattr(task, "par_names", None) or ())
    wanted = {"verbose": 0, "noprompt": True}
    named = {(f"py_{name}" if name in own else name): value for name, value in wanted.items()}
    return named | ({} if "stderr" in own else {"stderr": False})


def call(heasoftpy: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Run one task and return its code and everything it printed."""
    task = heasoftpy.HSPTask(request["task"])
    result = task(dict(request["arguments"]), **controls(task))
    text = "\n".join(part for part in (result.stdout, result.stderr) if part)
    return {"returncode": int(result.returncode), "output": text}


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the parent closes the pipe."""
    import heasoftpy

    heasoftpy.Config.allow_failure = True
    for line in requests:
        request = json.loads(line)
        if "hello" in request:
            answer: dict[str, Any] = {"version": str(getattr(heasoftpy, "__version__", "unknown"))}
        else:
            try:
                answer = call(heasoftpy, request)
            except Exception as problem:  # noqa: BLE001  - a batch boundary: the parent reports it with the task
                answer = {"error": f"{type(problem).__name__}: {problem}"}
        answers.write(json.dumps(answer).encode() + b"\n")


def main(root: str) -> None:
    """Serve; when the parent is gone, leave nothing behind."""
    requests, answers = take_over_streams()
    serve(requests, answers)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
