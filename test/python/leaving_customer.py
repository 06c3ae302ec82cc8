"""python3 leaving_customer.py well|badly: ends at once after map, well or with an exception."""

import itertools
import sys

import manyhands

hands = manyhands.connect()
if sys.argv[1] == "well":
    hands.map("x => x", range(50_000), name="left well")
else:
    hands.map("x => x", itertools.count(), name="left badly", window=10)
    raise SystemError("over")
