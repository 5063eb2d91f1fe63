"""What tasks say when they go wrong while returning 0.

The shells around the Fortran tasks (extractor, fimgbin, grppha, lcmath) return 0 whatever happened, so their text
must be read. `errors` finds the lines that mean a wrong or missing product; `remarks` those a user should see.
"""

from __future__ import annotations

import re

_FATAL = re.compile(
    r"""no\ region\ information | ignoring\ (the\ )?region | region\ filtering.*(ignored|failed)
      | parameter\ name\ not\ found | ambiguous\ parameter | unknown\ parameter | (no|not\ a)\ such\ parameter
      | ^\W*(\w[\w.-]*\s*:\s*)?(fatal\s+)?error\b
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
    r"""\berrors?\s*[:=]\s*0\b | \b(no|0|zero)\ errors?\b | ^\W*(error|err)_?\s*(mode|bars?|col|propag|handling|estimat)
      | ^\W*warning\b(?!.*region) | ^\W*error\s*=?\s*(sqrt|column)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_REMARK = re.compile(r"\b(warning|error|fail(ed|ure)?|unable|could not|fitsio)\b", re.IGNORECASE)


def errors(text: str) -> tuple[str, ...]:
    """Lines that say the task did not do what it was asked to do."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if _FATAL.search(line) and not _HARMLESS.search(line))


def remarks(text: str) -> tuple[str, ...]:
    """Lines worth showing with the product: warnings, and errors that were not fatal."""
    fatal = set(errors(text))
    lines = (line.strip() for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if _REMARK.search(line) and line not in fatal))
