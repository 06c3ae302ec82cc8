"""python3 keyed_customer.py KEY COUNT STOP: squares under a key; at input STOP it waits to be killed."""

import json
import sys
import threading

import manyhands

key, count, stop = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def inputs():
    for index in range(count):
        if index == stop:
            print("waiting", flush=True)
            threading.Event().wait()
        yield index


with manyhands.connect() as hands:
    print(json.dumps(hands.map("(x) => x * x", inputs(), key=key).gather()))
