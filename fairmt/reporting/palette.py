"""Colour and marker of each method, the same in every figure of every suite.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; the marker differs too,
so that figures survive a black-and-white print.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import NamedTuple

COLOURS = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
MARKERS = ("o", "*", "s", "^", "D", "v", "P", "X", "<", "h", ">")


class Style(NamedTuple):
    """How a method is drawn."""

    colour: str
    marker: str


OWN = {
    "mtl_erm": Style(COLOURS[0], MARKERS[0]),
    "fairmt_eo": Style(COLOURS[1], MARKERS[1]),
    "fairmt_dp": Style(COLOURS[2], MARKERS[2]),
}
"""Methods whose colours no other has."""
# Append only: a method's place fixes its style.
KNOWN = (
    "diff_eodd",
    "diff_dp",
    "wb_fair",
    "upgrad",
    "stl_erm",
    "upgrad_fair",
    "famo_fair",
    "fair_hsic",
    "primal_dual_eo",
    "mta_f",
    "l2t_fmt",
    "fairbranch",
    "group_dro",
    "mgda",
    "pcgrad",
    "cagrad",
    "nash_mtl",
    "fairgrad",
    "aligned_mtl",
    "famo",
    "primal_dual_dp",
    "fairlearn_eg",
    "mgda_fair",
    "pcgrad_fair",
    "cagrad_fair",
    "nash_mtl_fair",
    "fairgrad_fair",
    "aligned_mtl_fair",
    "uw",
    "uw_fair",
    "pcd_fair",
    "gradnorm",
    "laftr_eo",
    "fairmt_eo_head_blind",
)


def styles(methods: Collection[str]) -> dict[str, Style]:
    """A style for each method; no two share one as long as there are enough.

    The methods of `OWN` and `KNOWN` have fixed styles. Any other gets one by its name's digest, the next
    free one where two names collide.

    Examples
    --------
    >>> styles(["fairmt_eo", "new"])["fairmt_eo"] == styles(["fairmt_eo"])["fairmt_eo"]
    True
    """
    # Without the disc and the star of the reference and of FairMT.
    colours, markers = COLOURS[len(OWN) :], MARKERS[2:]
    total = len(colours) * len(markers)
    taken = {name: place for place, name in enumerate(KNOWN)}
    for name in sorted(set(methods) - set(OWN) - set(KNOWN)):
        place = int(hashlib.sha256(name.encode()).hexdigest(), 16) % total
        while place in taken.values() and len(taken) < total:
            place = (place + 1) % total
        taken[name] = place
    # Both lengths are coprime: every place up to their product is another combination.
    others = {
        name: Style(colours[place % len(colours)], markers[place % len(markers)])
        for name, place in taken.items()
    }
    return {name: (OWN | others)[name] for name in methods}
