"""python3 leaving_customer.py well|badly: ends at once after map, well or with an exception."""

import itertools
import sys

import manyhands

hands = manyhands.connect()
if sys.argv[1] == "well":
    # The last input is a blob, which is uploaded while the program ends.
    hands.map("x => 0", [*range(50_000), bytes(400_000)], name="left well")
else:
    hands.map("x => x", itertools.count(), name="left badly", window=10)
    raise SystemError("over")
