"""Squares, computed by whoever joined the server: ``python3 01_square.py``."""

import manyhands

with manyhands.connect() as hands:  # http://localhost:9990; finds its token on the same machine
    print(hands.map("x => x * x", [1, 2, 3, 4]).gather())  # [1, 4, 9, 16]
