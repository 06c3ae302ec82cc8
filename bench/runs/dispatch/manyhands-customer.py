"""The customer of manyhands-python.ts: tasks a second with the Python module. Arguments as of measure.ts."""

import argparse
import json
import time

import manyhands


def make_inputs(count, prefix):
    return [f"{prefix}{index} ".ljust(100, ".") for index in range(count)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=20000)
    parser.add_argument("--warm", type=int, default=20000)
    parser.add_argument("--warmRounds", type=int, default=1)
    arguments, _ = parser.parse_known_args()
    with manyhands.connect() as hands:

        def dispatch(inputs):
            if hands.map("input => input", inputs).gather() != inputs:
                raise SystemExit("the outputs are not those of the inputs")

        for round_ in range(arguments.warmRounds):
            dispatch(make_inputs(arguments.warm, f"w{round_} "))
        inputs = make_inputs(arguments.tasks, "t")
        start = time.perf_counter()
        dispatch(inputs)
        seconds = time.perf_counter() - start
    print(json.dumps({"value": len(inputs) / seconds}), flush=True)


if __name__ == "__main__":
    main()
