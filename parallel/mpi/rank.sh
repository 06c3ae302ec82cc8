#!/bin/sh
# One rank: keeps a client running, and never ends abnormally itself. A launcher ends a whole job when one of its processes
# does, and here a client that is killed costs no more than its tasks' attempts: it is started again.
#
#   rank.sh CACHE COMMAND…    CACHE: directory of this host's cache, or a directory that ends in / for one of each host
cache=$1
shift
case $cache in
  */) cache=$cache$(uname -n) ;;
esac

restarts=0
asked=
# Twice: nobody waits for what a rank still computes, and what it hands back at once is not lost. While a launcher waits for
# its ranks, some pass on only the first signal before they kill.
trap 'asked=1; kill -TERM "$child" 2>/dev/null; kill -TERM "$child" 2>/dev/null' TERM INT HUP

while :; do
  "$@" --cache-dir "$cache" &
  child=$!
  wait "$child"
  status=$?
  # A trapped signal interrupts the wait, not the child.
  while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    status=$?
  done
  # Over 128: killed by a signal. Everything else is its own decision: told to end, refused, no server.
  if [ -n "$asked" ] || [ "$status" -le 128 ]; then break; fi
  restarts=$((restarts + 1))
  if [ "$restarts" -gt 20 ]; then
    echo "manyhands: the client on $(uname -n) was killed $restarts times, the last time by signal $((status - 128)); this rank gives up." >&2
    break
  fi
  sleep 1
done
exit 0
