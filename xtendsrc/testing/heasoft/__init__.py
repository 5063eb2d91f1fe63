"""A stand-in HEASoft: a HEADAS tree of executables that behave like the documented tasks, faults included.

`install` writes the tree, `environment` gives the variables that make it the HEASoft of a child process::

    headas = install("standin")
    subprocess.run([headas / "bin/extractor", ...], env={**os.environ, **environment(headas)})

The tasks compute true products from the event file with plain algorithms of their own; nothing here uses the rest
of the package, so that agreement between the two is a second opinion.  Calibrated tasks (``xtdrmf``,
``xaarfgen``) give nominal responses that say so.  Faults are injected with the environment variable
``XTENDSRC_STANDIN_FAULT``, e.g. ``extractor:hang,xaexpmap:exit-1``; the faults are ``hang`` (with a child),
``hang-deaf`` (deaf to SIGTERM), ``crash``, ``crash-after`` (leaving half an output), ``no-output``, ``exit-1``,
``ask-stdin``, ``garbage-output``, ``truncated-output`` and ``slow:<seconds>``.
"""

from __future__ import annotations

from typing import Any

__all__ = ["environment", "install"]


def __getattr__(name: str) -> Any:
    """Load the installer only when asked: the executables need not wait for it."""
    if name in __all__:
        from . import tree

        return getattr(tree, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
