#!/bin/sh
# Runs a rank: keeps a client running, and never ends abnormally itself, for then a launcher would end the whole job. A killed client
# costs no more than its tasks' attempts: the rank starts it again.
#
#   rank.sh CACHE COMMAND…    CACHE: this host's cache; or, with a / at the end, a directory of one cache for each host
cache=$1
shift
case $cache in
  */) cache=$cache$(uname -n) ;;
esac

restarts=0
asked=
# The client gets the signal twice, so that it hands back its tasks at once: the program does not wait for their results. Some
# launchers pass on only the first signal before they kill.
trap 'asked=1; kill -TERM "$child" 2>/dev/null; kill -TERM "$child" 2>/dev/null' TERM INT HUP

while :; do
  "$@" --cache-dir "$cache" &
  child=$!
  wait "$child"
  status=$?
  # A trapped signal interrupts the wait while the child goes on.
  while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    status=$?
  done
  # A status over 128 means that a signal killed the client. With any other status the client ended by itself: told to end,
  # refused, no server.
  if [ -n "$asked" ] || [ "$status" -le 128 ]; then break; fi
  restarts=$((restarts + 1))
  if [ "$restarts" -gt 20 ]; then
    echo "manyhands: the client on $(uname -n) was killed $restarts times, the last time by signal $((status - 128)); this rank gives up." >&2
    break
  fi
  sleep 1
done
exit 0
