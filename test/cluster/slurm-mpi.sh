#!/bin/bash
# Programs under `mpi:N:SCRATCH` in a real Slurm's allocation: ranks started by srun (as Slurm's own, without any MPI), and by
# mpirun inside the allocation when there is one. Checked: results; a killed client and a killed rank cost a
# retry; no process stays behind. Then ranks of `srun manyhands client --rendezvous`, beside a separate server. About a
# minute. Needs root and Debian's slurm-wlm and munge.
set -euo pipefail
. "$(dirname "$0")/one-node-slurm.sh"

cat >"$work/program.ts" <<PROGRAM
import { connect } from "$PWD/parallel/index.ts";
// A task takes 300 ms, so that a client and a rank are killed before the job ends.
const slowSquare = async (x: number): Promise<number> => {
  await new Promise((resolve) => setTimeout(resolve, 300));
  return x * x;
};
await using hands = await connect();
const inputs = Array.from({ length: 40 }, (_, x) => x);
const job = hands.map(slowSquare, inputs, { onProgress: ({ done }) => console.error("done", done) });
const outputs = await job;
const right = outputs.length === 40 && outputs.every((y, x) => y === x * x);
console.log(right ? "right" : "WRONG", (await hands.clients()).length, "clients");
PROGRAM

# run NAME LAUNCHER HARM: the program as a batch job of two tasks; HARM is called when some are done.
run() {
  local name=$1 launcher=$2 harm=$3 scratch=$work/$1
  mkdir "$scratch"
  cat >"$work/$name.sh" <<JOB
#!/bin/bash
export MANYHANDS_PARALLEL=mpi:2:$scratch MANYHANDS_MPIRUN="$launcher" MANYHANDS_EXIT_WHEN_SERVER_GONE=3
exec node $work/program.ts
JOB
  local job
  job=$(sbatch --parsable --ntasks 2 --cpus-per-task 1 --output "$work/jobs/$name.log" "$work/$name.sh")
  wait_for "first results of $name" 40 grep -q "done [1-9]" "$work/jobs/$name.log"
  $harm "$scratch"
  wait_for "the end of $name" 60 sh -c "[ -z \"\$(squeue -h -j $job 2>/dev/null)\" ]"
  grep -q "^right" "$work/jobs/$name.log" || {
    echo "FAILED: $name"
    cat "$work/jobs/$name.log"
    exit 1
  }
  wait_for "no process of $name" 20 none_of "$scratch"
  echo "ok: $name ($(tail -n 1 "$work/jobs/$name.log"))"
}
nothing() { :; }
none_of() { ! pgrep -f -- "--rendezvous $1" >/dev/null; }
client_of() { pgrep -f -- "^$(node -p process.execPath) .*client --rendezvous $1" | head -n 1; }
kill_client() { kill -9 "$(client_of "$1")"; }
kill_rank() {
  local client
  client=$(client_of "$1")
  kill -9 "$(ps -o ppid= -p "$client" | tr -d ' ')" "$client"
}

run srun srun nothing
run srun-client-killed srun kill_client
run srun-rank-killed srun kill_rank
if command -v mpirun >/dev/null; then run mpirun mpirun nothing; else echo "skipped: mpirun is missing"; fi

export XDG_STATE_HOME=$work/state
node bin/manyhands.js server --port 0 --data "$work/data" --volunteers off --rendezvous "$work/server.json" \
  --json --log-level warn >"$work/server.log" 2>&1 &
pids+=($!)
srun --ntasks 2 node bin/manyhands.js client --rendezvous "$work/server.json" --slots 1 --cache-dir "$work/cache" \
  --exit-when-server-gone 3 >"$work/jobs/ranks.log" 2>&1 &
ranks=$!
wait_for "the server" 30 test -s "$work/server.json"
server=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).urls[0]' "$work/server.json")
out=$(MANYHANDS_PARALLEL="$server" MANYHANDS_TOKEN=$(cat "$work/data/local-token") node "$work/program.ts" 2>/dev/null)
[ "$out" = "right 2 clients" ] || { echo "FAILED: two ranks of srun beside a server: $out"; exit 1; }
kill "${pids[-1]}"
wait_for "the end of ranks whose server is gone" 30 sh -c "! kill -0 $ranks"
echo "ok: ranks of srun found the server by its rendezvous file, and ended after it"
echo "passed"
