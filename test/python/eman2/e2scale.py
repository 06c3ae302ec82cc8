"""A program of the shape of EMAN2's: tasks of its own class, sent, polled and fetched."""

import argparse
import json
import os
import sys
import time

from EMAN2jsondb import JSTask
from EMAN2PAR import EMTaskCustomer


class Scaled:
    def __init__(self, values):
        self.values = values


class ScaleTask(JSTask):
    def __init__(self, data, options):
        JSTask.__init__(self, "Scale", data, {"factor": options.factor}, "")

    def execute(self, callback):
        if not callback(1):
            return None
        if self.data.get("fails") and not os.path.exists(self.data["fails"]):
            raise ValueError("no reference")
        kind, path, *wanted = self.data["images"]
        with open(path) as file:
            lines = file.read().split()
        values = [self.options["factor"] * float(lines[i]) for i in wanted[0]]
        if self.data["list"][1] is not None:
            with open(self.data["list"][1]) as file:
                return {"scaled": Scaled(file.read().split()), "name": "", "kind": kind, "large": b""}
        return {"scaled": Scaled(values), "name": os.path.basename(path), "kind": kind, "large": b"x" * self.data["size"]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--parallel")
    parser.add_argument("--factor", type=float, default=2)
    options = parser.parse_args()
    etc = EMTaskCustomer(options.parallel, module="e2scale.ScaleTask")
    told = {"cpus": etc.cpu_est(), "argv": os.path.basename(sys.argv[0]), "other": EMTaskCustomer("thread:2").servtype}
    with open("images.txt", "w") as file:
        file.write("1 2 3 4")
    etc.precache(["images.txt"])
    group = etc.new_group()
    none = ["cache", None, [0]]
    tasks = [
        ScaleTask({"images": ("cache", "images.txt", [i, i + 1]), "list": none, "size": i * 400_000}, options) for i in range(3)
    ]
    for task in tasks:
        task.group = group
    tids = etc.send_tasks(tasks)
    failing = ScaleTask({"images": ("cache", "images.txt", [0]), "list": none, "fails": os.path.abspath("reference"), "size": 0}, options)
    failed = etc.send_task(failing)
    while min(etc.check_task(tids)) < 100:
        time.sleep(0.05)
    told["first"] = etc.check_task([*tids, failed])
    while -1 in told["first"]:
        time.sleep(0.05)
        told["first"] = etc.check_task([*tids, failed])
    try:
        told["states"] = etc.check_task([*tids, failed])
    except Exception as error:
        told["again"] = str(error)
    told["results"] = []
    for tid in tids:
        task, result = etc.get_results(tid)
        scaled = result["scaled"]
        told["results"].append([task.taskid == tid, isinstance(scaled, Scaled), scaled.values, result["name"], len(result["large"])])
    try:
        etc.get_results(failed)
    except Exception as error:
        told["error"] = [str(error), error.stack]
    # Tasks find the project of the program on a shared file system.
    with open("reference", "w") as file:
        file.write("here")
    etc.rerun_task(failed)
    told["rerun"] = etc.get_results(failed)[1]["scaled"].values
    with open("images.lst", "w") as file:
        file.write("places")
    listed = ScaleTask({"images": ("cache", "images.txt", [0]), "list": ["cache", "images.lst", [0]], "size": 0}, options)
    told["listed"] = etc.get_results(etc.send_task(listed))[1]["scaled"].values
    try:
        etc.send_task(ScaleTask({"images": ("cache", "bdb:stack", [0]), "size": 0}, options))
    except Exception as error:
        told["refusal"] = str(error)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
