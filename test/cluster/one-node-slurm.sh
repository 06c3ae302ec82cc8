# Sourced by the scripts beside it: starts a Slurm of this machine alone that ends with the script. Sets work (a directory that is removed
# at the end), pids (processes that are ended then) and wait_for. Needs root and Debian's slurm-wlm and munge; without, the script is skipped.
cd "$(dirname "$0")/../.."
export PATH="$PWD/node_modules/.bin:$PATH"

for tool in slurmctld slurmd sbatch munged; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is missing (apt-get install slurm-wlm munge)"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: a Slurm of one's own needs root"; exit 0; }

work=$(mktemp -d)
pids=()
cleanup() {
  scancel --user root 2>/dev/null || true
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

host=$(hostname -s)
mkdir -p "$work"/{ctld,d,jobs,munge}
dd if=/dev/urandom bs=1 count=1024 of="$work/munge/key" 2>/dev/null
chmod 700 "$work/munge"
chmod 600 "$work/munge/key"
cat >"$work/slurm.conf" <<CONF
ClusterName=manyhands
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
StateSaveLocation=$work/ctld
SlurmdSpoolDir=$work/d
SlurmctldPidFile=$work/ctld.pid
SlurmdPidFile=$work/d.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=1,sched_interval=2
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$work/slurm.conf

munged --foreground --force --key-file "$work/munge/key" --socket "$work/munge/socket" \
  --pid-file "$work/munge/pid" --log-file "$work/munge/log" --seed-file "$work/munge/seed" &
pids+=($!)
wait_for() {
  local what=$1 seconds=$2
  shift 2
  for ((i = 0; i < seconds * 5; i++)); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  echo "FAILED: $what did not come true in $seconds s"
  tail -n 30 "$work"/*.log "$work"/jobs/*.log 2>/dev/null || true
  exit 1
}
wait_for "munge" 10 test -S "$work/munge/socket"
slurmctld -D >"$work/slurmctld.log" 2>&1 &
pids+=($!)
slurmd -D -N "$host" >"$work/slurmd.log" 2>&1 &
pids+=($!)
wait_for "an idle node" 30 sh -c 'sinfo -h -o %T | grep -q idle'
echo "ok: Slurm $(sinfo --version) runs"
