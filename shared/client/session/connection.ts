import type { ErrorBody } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { protocolVersion, type LeaseKey, type ServerMessage } from "../../wire/protocol.ts";
import { backoffMs } from "../../backoff.ts";
import { shuffled } from "../../random.ts";
import { acknowledge, deliverOutbox, holdOutbox, unacknowledgedBytes } from "./delivery.ts";
import { ignore } from "./ignore.ts";
import { cancelTasks, dropLeases, takeLease } from "./leases.ts";
import { endPrecache, endPrecaches, takePrecache } from "./precache.ts";
import { holdCheckpoints } from "./reports.ts";
import { keyOf, newestCached, send, type Connected, type SessionState } from "./state.ts";
import { forgetQueued } from "./tasks.ts";

/** The server's welcome must come this long after the socket is opened. */
const greetingMs = 15_000;
/** After a connection that lasted this long the back-off starts anew. */
const stableMs = 10_000;
/** Results without an answer, and a late heartbeat, let a connection be doubted after this long. */
const leastAnswerMs = 3000;
const lateBeatMs = 1000;
const probeAgainMs = 2000;
/** An interruption is remembered this long. */
const gapKeptMs = 300_000;
/** Slowest network, 0.25 Mbit/s, on which results in front of others are no silence. */
const leastBytesPerMs = 32;

export function connect(state: SessionState, attempt: number): void {
  state.connection = { state: "connecting", deadline: state.now + greetingMs, attempt };
  state.out.push({ type: "openConnection", server: state.servers[0]! });
}

export function connectIfDue(state: SessionState): void {
  const { connection } = state;
  if (connection.state === "waiting" && state.now >= connection.retryAt) connect(state, connection.attempt);
}

export function connectionOpened(state: SessionState): void {
  const { connection, options } = state;
  if (connection.state !== "connecting") return ignore(state, "no connection is being opened");
  state.connection = { ...connection, state: "greeting", released: [], credit: undefined };
  const { description } = options;
  send(state, {
    type: "hello",
    protocol: protocolVersion,
    version: description.version.slice(0, 40),
    ...(state.identity && { identity: state.identity }),
    kind: description.kind,
    name: description.name.slice(0, limits.nameChars),
    ...(description.token !== undefined && { token: description.token }),
    slots: state.slotsChosen,
    memoryMb: description.memoryMb,
    webgpu: state.webgpu,
    trusts: description.trusts,
    ...(description.commands && { commands: [...description.commands] }),
    held: heldLeases(state),
    cached: newestCached(state),
  });
}

/** Leases that the client still has, the most valuable first: finished, then running, then queued. */
function heldLeases(state: SessionState): LeaseKey[] {
  const held: LeaseKey[] = [];
  for (const [job, entries] of state.outbox)
    for (const { result } of entries.values())
      held.push({ job, index: result.index, attempt: result.attempt });
  const waiting: LeaseKey[] = [];
  for (const job of state.jobs.values())
    for (const task of job.tasks.values()) (task.place.state === "queued" ? waiting : held).push(keyOf(task));
  return [...held, ...waiting].slice(0, limits.tasksHeldPerClient);
}

export function hear(state: SessionState): void {
  const { connection } = state;
  if (connection.state === "connected") noteLife(state, connection);
  else if (connection.state !== "greeting") ignore(state, "no connection is open");
}

function noteLife(state: SessionState, connection: Connected): void {
  connection.heardAt = state.now;
  if (connection.probeAfter === Infinity) state.out.push({ type: "closeProbe" });
  connection.probeAfter = 0;
  noteAnswer(state);
}

/** Notes how long results were left without an answer. */
function noteAnswer(state: SessionState): void {
  const ms = state.now - (state.unansweredSince ?? state.now);
  if (ms >= state.gapMs || state.now > state.gapUntil) {
    state.gapMs = ms;
    state.gapUntil = state.now + gapKeptMs;
  }
  state.unansweredSince = undefined;
}

export function messageReceived(state: SessionState, message: ServerMessage): void {
  const { connection } = state;
  if (connection.state === "connected") noteLife(state, connection);
  else if (message.type !== "welcome" && message.type !== "refuse" && message.type !== "bye")
    return ignore(state, "not connected");
  switch (message.type) {
    case "welcome":
      return welcome(state, message);
    case "refuse":
      return refuse(state, message);
    case "lease":
      state.idle = undefined;
      workMoved(state);
      return takeLease(state, message.job, message.tasks);
    case "accepted":
      workMoved(state);
      return acknowledge(state, message.job, message.indexes);
    case "verdict":
      // The message is for the person who watches.
      return;
    case "cancel":
      return cancelTasks(state, message.job, message.indexes);
    case "precache":
      return takePrecache(state, message);
    case "precacheEnd":
      return endPrecache(state, message.id);
    case "heartbeat":
      state.idle = message.idle;
      if (message.servers && takeServers(state, message.servers)) keepIdentity(state);
      return;
    case "bye":
      if (connection.state === "connected") connection.returnAfterMs = message.afterMs;
      else ignore(state, "not connected");
      return;
  }
}

/**
 * Restarts the back-off after a server has given work or stored a result: the next break is followed by a prompt retry, because
 * every moment of a server that is up for seconds at a time counts. A server that only accepts and drops connections stays
 * under the back-off.
 */
function workMoved({ connection }: SessionState): void {
  if (connection.state === "connected") connection.attempt = 0;
}

function welcome(state: SessionState, message: Extract<ServerMessage, { type: "welcome" }>): void {
  const { connection } = state;
  if (connection.state !== "greeting") return ignore(state, "no hello waits for it");
  state.connection = {
    state: "connected",
    since: state.now,
    heardAt: state.now,
    heartbeatMs: message.heartbeatMs,
    isAlike: message.version === state.options.description.version,
    attempt: connection.attempt,
    credit: connection.credit,
    probeAfter: 0,
    returnAfterMs: undefined,
  };
  noteAnswer(state);
  state.acknowledged = { at: state.now, sentAt: 0 };
  const isNews = takeServers(state, message.servers);
  if (isNews || message.identity.secret !== state.identity?.secret) {
    state.identity = message.identity;
    keepIdentity(state);
  }
  state.out.push({ type: "useTicket", ticket: message.ticket });
  if (connection.released.length > 0) send(state, { type: "release", leases: connection.released });
  dropLeases(state, message.dropped);
  deliverOutbox(state);
}

function keepIdentity({ identity, servers, out }: SessionState): void {
  if (identity) out.push({ type: "keepIdentity", identity, servers: [...servers] });
}

/**
 * Takes over the addresses of a welcome or a heartbeat; those known before stay when the server names none. Their order is random, so that the clients
 * of a server that dies spread over the others (SPEC.md [SERVERS-2]).
 * @returns whether anything is to be kept for the next start
 */
function takeServers(state: SessionState, named: readonly string[] = state.servers): boolean {
  const [own = ""] = state.servers;
  const others = new Set([...named, ...state.options.servers]);
  others.delete(own);
  const isSafe = (server: string): boolean => !own.startsWith("https") || server.startsWith("https");
  const known = [...others].filter(isSafe).sort();
  state.servers = [own, ...shuffled(known, state.options.random)];
  state.refusing.clear();
  const before = state.kept;
  state.kept = [own, ...known].join(" ");
  return state.kept !== before;
}

function refuse(state: SessionState, message: Extract<ServerMessage, { type: "refuse" }>): void {
  const { code, remedy, retryable } = message;
  if (!retryable) state.refusing.add(state.servers[0]!);
  if (retryable || state.servers.some((server) => !state.refusing.has(server)))
    return leave(state, `${message.message} (${code})`, code);
  const error: ErrorBody = { code, message: message.message, remedy, retryable };
  state.out.push({ type: "closeConnection", code: 1000, reason: code });
  state.out.push({
    type: "writeLog",
    level: "warn",
    message: `The server refused this client: ${error.message}`,
  });
  state.connection = { state: "refused", error };
  // Running tasks finish, and their results stay in the outbox; queued tasks have no use.
  forgetQueued(state);
  holdOutbox(state);
  holdCheckpoints(state);
  endPrecaches(state);
}

/** @param isSilent - the server is not worth another try before the others had their turn */
export function connectionClosed(state: SessionState, code: number, reason: string, isSilent = false): void {
  const { connection } = state;
  if (
    connection.state !== "connecting" &&
    connection.state !== "greeting" &&
    connection.state !== "connected"
  )
    return ignore(state, "no connection is open");
  let attempt = connection.attempt;
  let delay = pauseMs(state, attempt);
  if (connection.state === "connected") {
    if (state.now - connection.since >= stableMs) delay = pauseMs(state, (attempt = 0));
    // The jitter still keeps clients apart when the server said when it will be back.
    if (state.servers.length === 1) delay += connection.returnAfterMs ?? 0;
  }
  const isWorthAnother =
    connection.state === "connected" && attempt === 0 && connection.returnAfterMs === undefined && !isSilent;
  if (!isWorthAnother) state.servers.push(state.servers.shift()!);
  const why = reason || (code === 1006 ? "the connection broke" : `closed with code ${code}`);
  state.out.push({
    type: "writeLog",
    level: "info",
    message: `Not connected: ${why}; trying again in ${(delay / 1000).toFixed(1)} s`,
  });
  state.connection = { state: "waiting", retryAt: state.now + delay, attempt: attempt + 1, reason: why };
  holdOutbox(state);
  holdCheckpoints(state);
  endPrecaches(state);
}

/** The pause before a try to connect; grows with each round of all servers. */
function pauseMs({ servers, options }: SessionState, attempt: number): number {
  return backoffMs(Math.floor(attempt / servers.length), options.random);
}

/** Closes the connection to a server that refuses or is silent, and goes on as if it had broken. */
function leave(state: SessionState, reason: string, closeReason: string): void {
  state.out.push({ type: "closeConnection", code: 1000, reason: closeReason });
  connectionClosed(state, 1000, reason, true);
}

export function watchConnection(state: SessionState): void {
  const { connection } = state;
  if (connection.state === "connected" && state.now >= probeAt(state)) probe(state, connection);
  const at = connectionDeadline(state);
  if (at === undefined || state.now < at) return;
  const reason =
    state.connection.state === "connected"
      ? "nothing was heard from the server for four heartbeats"
      : "the server did not answer in time";
  leave(state, reason, "no answer");
}

/** When the connection counts as dead; undefined without a connection or heartbeats. */
export function connectionDeadline({ connection }: SessionState): number | undefined {
  if (connection.state === "connecting" || connection.state === "greeting") return connection.deadline;
  if (connection.state !== "connected" || connection.heartbeatMs === 0) return undefined;
  return connection.heardAt + 4 * connection.heartbeatMs;
}

/** When a silent connection is doubted (SPEC.md [MILES-3]); Infinity: not now. */
export function probeAt({ connection, unansweredSince = Infinity, roundTripMs = 0 }: SessionState): number {
  if (connection.state !== "connected" || connection.heartbeatMs === 0) return Infinity;
  const answerAt = unansweredSince + Math.max(leastAnswerMs, 4 * roundTripMs);
  const beatAt = connection.heardAt + connection.heartbeatMs + Math.max(lateBeatMs, 2 * roundTripMs);
  return Math.max(Math.min(answerAt, beatAt), connection.probeAfter);
}

function probe(state: SessionState, connection: Connected): void {
  // The server answers results when it has all of them.
  const sendingMs = unacknowledgedBytes(state) / leastBytesPerMs;
  connection.probeAfter = connection.heardAt + sendingMs;
  if (state.now >= connection.probeAfter) openProbe(state, connection);
}

function openProbe(state: SessionState, connection: Connected): void {
  if (connection.probeAfter === Infinity) return;
  connection.probeAfter = Infinity;
  state.out.push({ type: "openProbe", server: state.servers[0]! });
}

/** Goes on with the second connection as if the first had broken. */
export function probeOpened(state: SessionState): void {
  holdOutbox(state);
  holdCheckpoints(state);
  endPrecaches(state);
  state.connection = { state: "connecting", deadline: state.now + greetingMs, attempt: 0 };
  connectionOpened(state);
}

export function probeFailed({ connection, now }: SessionState): void {
  if (connection.state === "connected") connection.probeAfter = now + probeAgainMs;
}

export function changeNetwork(state: SessionState): void {
  const { connection } = state;
  if (connection.state === "waiting") connect(state, connection.attempt);
  if (connection.state === "connected") openProbe(state, connection);
}
