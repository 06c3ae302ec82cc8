"""Prints the provisional results of a job, and with "follow" what became of them, as lines of JSON."""

import dataclasses
import json
import sys

import manyhands

job_id, follow, after = sys.argv[1], sys.argv[2] == "follow", int(sys.argv[3]) if len(sys.argv) > 3 else None
with manyhands.connect() as hands:
    for news in hands.job(job_id).provisional(follow, after):
        print(json.dumps(dataclasses.asdict(news)), flush=True)
