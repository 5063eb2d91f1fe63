"""The text that tells XSPEC of a fit: a PyXspec script, and commands of the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xtendsrc.fit.xspecjob import Place, XspecJob

ITERATIONS = 500
SETTLED = 0.05
"""A fit has converged when asking for it once more changes the statistic by less than this."""

_TAIL = """

def parameter(label, group, index):
    model = AllModels(group, label) if label else AllModels(group)
    return model(index)


for name, label, group, index, number, values, frozen, link in PARAMETERS:
    one = parameter(label, group, index)
    one.untie()
    one.values = values
    one.frozen = frozen
for name, label, group, index, number, values, frozen, link in PARAMETERS:
    if link:
        parameter(label, group, index).link = link
Fit.renorm()
Fit.perform()
before = Fit.statistic
Fit.perform()
found = {{}}
for name, label, group, index, number, values, frozen, link in PARAMETERS:
    if name:
        one = parameter(label, group, index)
        if {profile} and not (frozen or link):
            Fit.error("1.0 " + number)
        found[name] = {{"value": one.values[0], "sigma": one.sigma, "error": list(one.error)}}
with open("{result}", "w") as stream:
    json.dump(
        {{
            "statistic": Fit.statistic,
            "converged": abs(before - Fit.statistic) < {settled},
            "parameters": found,
            "covariance": list(Fit.covariance or ()),
            "folded": [list(AllModels(1).folded(n)) for n in range(1, AllData.nSpectra + 1)],
            "version": [str(part) for part in Xset.version],
        }},
        stream,
    )
"""


def pyxspec_script(job: XspecJob, result: str = "result.json") -> str:
    """Return the PyXspec script of a job: it fits, and writes what it found as JSON."""
    lines = [
        '"""A fit with PyXspec, in the folder of its files."""',
        "",
        "import json",
        "",
        "from xspec import AllData, AllModels, Fit, Model, Xset",
        "",
        "Xset.allowPrompting = False",
        f'Xset.abund = "{job.abund}"',
        f'Xset.xsect = "{job.xsect}"',
        f'Xset.cosmo = "{job.cosmology}"',
        'Fit.query = "no"',
        f"Fit.nIterations = {ITERATIONS}",
        f'Fit.statMethod = "{job.statistic}"',
        *([f'Fit.weight = "{job.weight}"'] if job.statistic == "chi" else []),
        f'AllData("{_data(job)}")',
        *(f'AllData({group}).multiresponse[{source - 1}] = "{name}"' for group, source, name in job.responses),
        'AllData.ignore("bad")',
        *(f"Model({m.expression!r})" for m in job.models if not m.label),
        *(f"AllModels += ({m.expression!r}, {m.label!r}, {m.source})" for m in job.models if m.label),
        "",
        "PARAMETERS = [  # name, model, data group, index, number, values, frozen, link",
        *map(_parameter_line, job.places),
        "]",
        _TAIL.format(profile=job.profile, result=result, settled=SETTLED),
    ]
    return "\n".join(lines)


def _parameter_line(p: Place) -> str:
    return f"    {(p.name, p.label, p.group, p.index, p.spoken, p.values, p.frozen, p.link)},"


def xcm_script(job: XspecJob) -> str:
    """Return the same as commands of the program ``xspec``; it writes what it found into ``result.txt``."""
    lines = [
        "query no",
        f"abund {job.abund}",
        f"xsect {job.xsect}",
        f"cosmo {job.cosmology}",
        f"statistic {job.statistic}",
        *([f"weight {job.weight}"] if job.statistic == "chi" else []),
        f"data {_data(job)}",
        *(f"response {source}:{group} {name}" for group, source, name in job.responses),
        "ignore bad",
        *(f"model {f'{m.source}:{m.label} ' if m.label else ''}{m.expression} & /*" for m in job.models),
    ]
    for place in job.places:
        lines.append(f"newpar {place.spoken} {' '.join(f'{v:.10g}' for v in place.values)}")
        lines.append(f"{'freeze' if place.frozen else 'thaw'} {place.spoken}")
    lines += [f"newpar {place.spoken} = {place.link}" for place in job.places if place.link]
    lines += ["renorm", f"fit {ITERATIONS}", "tclout stat", "set before $xspec_tclout", f"fit {ITERATIONS}"]
    lines += ['set out [open "result.txt" w]', "tclout stat", 'puts $out "statistic $xspec_tclout $before"']
    for place in job.named:
        lines += _told(place, job.profile)
    lines += ["tclout covariance", 'puts $out "covariance $xspec_tclout"', "close $out", "exit"]
    return "\n".join(lines) + "\n"


def _told(place: Place, profile: bool) -> list[str]:
    """Return the commands that write down one parameter."""
    fitted = profile and not (place.frozen or place.link)
    lines = [f"error 1.0 {place.spoken}"] if fitted else []
    for what in ("param", "sigma", *(("error",) if fitted else ())):
        lines += [f"tclout {what} {place.spoken}", f'puts $out "{what} {place.name} $xspec_tclout"']
    return lines


def _data(job: XspecJob) -> str:
    return " ".join(f"{n}:{n} {name}" for n, name in enumerate(job.spectra, 1))


def parse_result_text(text: str) -> Mapping[str, Any]:
    """Read what the commands of `xcm_script` wrote."""
    found: dict[str, Any] = {"parameters": {}, "covariance": [], "folded": []}
    for line in text.splitlines():
        what, _, rest = line.partition(" ")
        if what == "statistic":
            after, before = (float(word) for word in rest.split()[:2])
            found |= {"statistic": after, "converged": abs(before - after) < SETTLED}
        elif what == "covariance":
            found["covariance"] = [float(word) for word in rest.split()]
        elif what in ("param", "sigma", "error"):
            name, _, numbers = rest.partition(" ")
            one = found["parameters"].setdefault(name, {"value": np.nan, "sigma": -1.0, "error": [0.0, 0.0, ""]})
            words = numbers.split()
            one["value" if what == "param" else what] = float(words[0]) if what != "error" else _error(words)
    return found


def _error(words: list[str]) -> list[Any]:
    return [float(words[0]), float(words[1]), words[2] if len(words) > 2 else ""]
