"""A function in Python on every client: pi by random points. The server needs ``npm install pyodide``."""

import random

import manyhands

POINTS = 200_000


def count_hits(_block):
    return sum(random.random() ** 2 + random.random() ** 2 <= 1 for _ in range(POINTS))


if __name__ == "__main__":
    with manyhands.connect() as hands:
        hits = hands.map(count_hits, range(20), name="pi in Python", seed="1").gather(progress=True)
    print(4 * sum(hits) / (POINTS * len(hits)))
