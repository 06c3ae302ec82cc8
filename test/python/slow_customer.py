"""python3 slow_customer.py COUNT: many small requests, and a line with seq, index and output for each outcome."""

import sys
import time

import manyhands


def inputs(count):
    for index in range(count):
        # Many small requests give many replies to lose.
        if index % 300 == 0:
            time.sleep(0.02)
        yield index


with manyhands.connect(silence=float(sys.argv[2]) if len(sys.argv) > 2 else 15.0, log=lambda line: None) as hands:
    for outcome in hands.map("x => x * 3", inputs(int(sys.argv[1]))):
        print(outcome.seq, outcome.index, outcome.result(), flush=True)
