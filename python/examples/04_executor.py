"""Futures, as from the pools of the standard library: ``python3 04_executor.py``."""

from concurrent.futures import as_completed

import manyhands

with manyhands.connect() as hands:
    print(hands.submit("x => x * x", 12).result())
    print(hands.starmap("(a, b) => a + b", [(1, 2), (3, 4)]).gather())

with manyhands.ManyhandsExecutor() as executor:
    futures = {executor.submit("(base, power) => base ** power", base, 3): base for base in range(5)}
    for future in as_completed(futures):
        print(f"{futures[future]} ** 3 = {future.result()}")
    print(list(executor.map("x => x % 2 === 0", range(5))))
