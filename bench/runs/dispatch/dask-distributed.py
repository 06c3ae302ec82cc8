"""Dask distributed: a scheduler, one worker process of two threads, and this client. Arguments as of measure.ts."""

import argparse
import json
import time

from distributed import Client, LocalCluster


def echo(text):
    return text


def make_inputs(count, prefix):
    return [f"{prefix}{index} ".ljust(100, ".") for index in range(count)]


def dispatch(client, inputs):
    return client.gather(client.map(echo, inputs, pure=False))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=20000)
    parser.add_argument("--warm", type=int, default=5000)
    arguments = parser.parse_args()
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            dispatch(client, make_inputs(min(arguments.warm, 1000), "w"))
            inputs = make_inputs(arguments.tasks, "t")
            start = time.perf_counter()
            outputs = dispatch(client, inputs)
            seconds = time.perf_counter() - start
            if outputs != inputs:
                raise SystemExit("the outputs are not those of the inputs")
    print(json.dumps({"value": len(inputs) / seconds}), flush=True)


if __name__ == "__main__":
    main()
