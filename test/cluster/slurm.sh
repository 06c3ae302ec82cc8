#!/bin/bash
# Clients under a real Slurm: a cluster of this machine alone is started, and a job array of clients joins a server through a
# rendezvous file. Checked: the jobs are computed; a requeued client comes back; clients that Slurm tells to end before
# their time is over drain and exit 0; nothing is lost. Takes about three minutes (a wall-clock limit has to pass), so it is
# no part of the test suite. Needs root and Debian's slurm-wlm and munge.
set -euo pipefail
. "$(dirname "$0")/one-node-slurm.sh"

manyhands() { node bin/manyhands.js "$@"; }
export XDG_STATE_HOME=$work/state
node bin/manyhands.js server --port 0 --data "$work/data" --volunteers off --rendezvous "$work/server.json" \
  --grace-seconds 5 --json --log-level warn >"$work/server.log" 2>&1 &
pids+=($!)
wait_for "the server" 30 test -s "$work/server.json"
MANYHANDS_SERVER=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).urls[0]' "$work/server.json")
MANYHANDS_TOKEN=$(cat "$work/data/local-token")
export MANYHANDS_SERVER MANYHANDS_TOKEN

# Clients use the token in the file, not the customer's in this environment.
submit() { (cd "$work/jobs" && env -u MANYHANDS_TOKEN -u MANYHANDS_SERVER sbatch --parsable); }
manyhands cluster slurm --nodes 2 --time 2 --cpus 1 --drain 20 --server-gone 30 --rendezvous "$work/server.json" \
  --cache-directory "$work/cache" >"$work/script.sh"
array=$(submit <"$work/script.sh")
clients() { manyhands clients --json | node -p 'JSON.parse(require("fs").readFileSync(0)).filter((c) => c.connected).length'; }
two_clients() { [ "$(clients)" = 2 ]; }
wait_for "two clients of the array" 30 two_clients
echo "ok: both clients of array $array joined"

# A task takes 250 ms, so that clients are requeued and drained before the job ends.
cat >"$work/square.ts" <<'KERNEL'
export default async (x: number): Promise<number> => {
  await new Promise((resolve) => setTimeout(resolve, 250));
  return x * x;
};
KERNEL
seq 0 899 >"$work/inputs.ndjson"
manyhands map "$work/square.ts" --inputs "$work/inputs.ndjson" --out "$work/out.ndjson" --key squares \
  >"$work/map.log" 2>&1 &
map=$!
pids+=("$map")
first=$(squeue -h -r -o %A -j "$array" | head -n 1)
done_tasks() { manyhands jobs --json | node -p 'JSON.parse(require("fs").readFileSync(0))[0].counts.done'; }
some_done() { [ "$(done_tasks)" -ge 5 ]; }
wait_for "the first results" 30 some_done
scontrol requeue "$first"
is_requeued() { [ "$(scontrol show job "$first" | sed -n 's/.*Restarts=\([0-9]*\).*/\1/p' | head -n 1)" = 1 ]; }
wait_for "the requeue" 30 is_requeued
echo "ok: one client was requeued in mid-job"

# 900 tasks of 250 ms on at most two clients outlast this array: Slurm ends it, and another one goes on.
array_over() { [ -z "$(squeue -h -j "$array" -t RUNNING,COMPLETING,PENDING -o %A 2>/dev/null | grep -v "^$first$")" ]; }
wait_for "the end of a client by its wall-clock limit" 180 array_over
state=$(scontrol show job "${array}_2" | sed -n 's/.*JobState=\([A-Z]*\).*ExitCode=\([0-9:]*\).*/\1 \2/p;s/.*JobState=\([A-Z]*\).*/\1/p' | head -n 1)
grep -h "Told to end" "$work"/jobs/*.log >/dev/null || { echo "FAILED: no client says that it was told to end"; exit 1; }
[ "$state" != TIMEOUT ] || { echo "FAILED: Slurm had to kill the client"; exit 1; }
echo "ok: a client that was told before its limit drained and ended ($state)"
submit <"$work/script.sh" >/dev/null
wait_for "the end of the job" 180 sh -c "! kill -0 $map"
wait "$map"
node -e '
  const lines = require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map((line) => JSON.parse(line));
  const outputs = lines.map((line) => line.output ?? line);
  const right = outputs.length === 900 && new Set(outputs).size === 900 && outputs.every((y) => Number.isInteger(Math.sqrt(y)));
  if (!right) { console.log("FAILED: results", lines.slice(0, 3)); process.exit(1); }
' "$work/out.ndjson"
echo "ok: every task has its one result"
failed=$(manyhands jobs --json | node -p 'JSON.parse(require("fs").readFileSync(0))[0].counts.failed')
[ "$failed" = 0 ] || { echo "FAILED: $failed tasks failed"; exit 1; }
echo "passed"
