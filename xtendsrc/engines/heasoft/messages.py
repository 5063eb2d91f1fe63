"""What tasks say when they go wrong while returning 0.

The shells around the Fortran tasks (extractor, fimgbin, grppha, lcmath) return 0 whatever happened, so their text
must be read. `errors` finds the lines that mean a wrong or missing product; `remarks` those a user should see.
"""

from __future__ import annotations

import re
from functools import lru_cache

_FATAL = re.compile(
    r"""no\ region\ information | ignoring\ (the\ )?region | region\ filtering.*(ignored|failed)
      | parameter\ name\ not\ found | ambiguous\ parameter | unknown\ parameter | (no|not\ a)\ such\ parameter
      | ^\W*(\w[\w.-]*\s*:\s*)?(fatal|error)\b
      | \b(unable\ to|could\ not|couldn't|cannot|can't|failed\ to)\s+
        (open|read|write|create|find|copy|close|get|parse|load|allocate)
      | \bc?fitsio\b.*\b(error|status\s*[=:]?\s*[1-9])
      | \btask\s+\S.*\bterminating\b(?!.*\bstatus\s*[=:]?\s*0\b)
      | terminating\ with\ status\s*[=:]?\s*-?[1-9]
      | segmentation\ (fault|violation) | core\ dumped | bus\ error | stack\ smashing | traceback\ \(most
    """,
    re.IGNORECASE | re.VERBOSE,
)
_HARMLESS = re.compile(
    r"""^\W*error\s+summary\b | \berrors?\s*[:=]\s*0\b
      | \b(no|0|zero)\ errors?\b | ^\W*(error|err)_?\s*(mode|bars?|col|propag|handling|estimat)
      | ^\W*warning\b(?!.*region) | ^\W*error\s*=?\s*(sqrt|column)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_NOISE = re.compile(
    r"""possibly\ asynchronous | \bSTAT_ERR\b | card\ is\ too\ long | ^\W*error\s+summary\b""",
    re.IGNORECASE | re.VERBOSE,
)
_REMARK = re.compile(r"\b(warning|error|fail(ed|ure)?|unable|could not|fitsio)\b", re.IGNORECASE)


_HINTS = (
    *(
        "error",
        "fatal",
        "region",
        "parameter",
        "unable",
        "could not",
        "couldn't",
        "cannot",
        "can't",
        "failed",
        "fitsio",
    ),
    *("terminating", "segmentation", "core dumped", "bus err", "stack smashing", "traceback"),
)
"""Every fatal line holds one of these, in lower case: a text without them is not searched line by line."""


def errors(text: str) -> tuple[str, ...]:
    """Lines that say the task did not do what it was asked to do."""
    lower = text.lower()
    if not any(hint in lower for hint in _HINTS):
        return ()
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if _is_fatal(line))


@lru_cache(maxsize=4096)
def _is_fatal(line: str) -> bool:
    lower = line.lower()
    if not any(hint in lower for hint in _HINTS):
        return False
    return _FATAL.search(line) is not None and _HARMLESS.search(line) is None


def remarks(text: str) -> tuple[str, ...]:
    """Lines worth showing with the product: warnings, and errors that were not fatal.

    What tasks say of every product is no remark: lcmath calls identical bins "possibly asynchronous", grppha speaks of
    a missing STAT_ERR column that Poisson counts need not have, astropy of cards that it shortens.
    """
    fatal = set(errors(text))
    lines = dict.fromkeys(line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line not in fatal and _REMARK.search(line) and not _NOISE.search(line))
