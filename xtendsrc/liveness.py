"""Whether the process that left something behind still runs."""

from __future__ import annotations

import os


def process_exists(pid: int) -> bool:
    """Tell whether a process of this number runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
