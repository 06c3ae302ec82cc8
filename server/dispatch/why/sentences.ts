import type { Reason, ReasonCode } from "../../../shared/wire/why.ts";

/** Facts of a reason. Sentences name those that are known. */
export interface Facts {
  /** Number of jobs that share the reason; absent when the reason is of one job, of which the reader knows. */
  readonly jobs?: number;
  /** Tasks or clients. */
  readonly count?: number;
  readonly endsInMs?: number;
  /** A word or number of the sentence: a state, a kind of client, megabytes. */
  readonly detail?: string;
  /** Whether the sentence is about one client. */
  readonly isOfClient?: boolean;
}

/** A reason and its facts, before it is a sentence. */
export interface Hold extends Facts {
  readonly code: ReasonCode;
}

/** Holds of several jobs by their likeness, the one of most jobs first; each counts its jobs. */
export function groupHolds(holds: readonly Hold[]): Hold[] {
  const groups = new Map<string, Hold>();
  for (const hold of holds) {
    const key = `${hold.code} ${hold.detail ?? ""}`;
    const group = groups.get(key);
    const endsInMs = Math.max(group?.endsInMs ?? 0, hold.endsInMs ?? 0);
    const jobs = (group?.jobs ?? 0) + 1;
    groups.set(key, { ...hold, jobs, ...(hold.endsInMs !== undefined && { endsInMs }) });
  }
  return [...groups.values()].toSorted((a, b) => (b.jobs ?? 0) - (a.jobs ?? 0));
}

/** A reason with its sentence. */
export function reasonOf({ code, ...facts }: Hold): Reason {
  const { jobs, count, endsInMs } = facts;
  return {
    code,
    text: sentences[code](facts),
    ...(jobs !== undefined && { jobs }),
    ...(count !== undefined && { count }),
    ...(endsInMs !== undefined && { endsInMs: Math.max(0, Math.round(endsInMs)) }),
  };
}

const sentences: Record<ReasonCode, (facts: Facts) => string> = {
  banned: ({ detail = "no reason given" }) => `The client is banned: ${detail}.`,
  notConnected: () => "The client is not connected.",
  clientAway: (facts) => `The client lost its connection, and may come back${within(facts)}.`,
  clientPaused: () => "The client asks for no tasks: it is paused, or stops.",
  clientDrained: () =>
    "The administrator drains the client: it finishes what it holds and gets no more, until that is taken back.",
  networkBehind: () =>
    "The client's network is still taking the tasks that were sent; more follow when it has taken them.",
  auditorWaits: () =>
    "This is the server's own auditor: it computes only what strangers failed at and what has to be checked.",
  starting: (facts) => `The server has just started, and waits for its clients to come back${within(facts)}.`,
  stopping: () => "The server is going down, and hands out no more tasks.",
  noJobs: () => "There is no open job.",
  ended: ({ detail = "ended" }) => `The job is ${detail}.`,
  waitsForJobs: (facts) =>
    facts.jobs === undefined
      ? `The job waits for ${several(facts.count ?? 1, "other job")} to finish.`
      : `${subject(facts, "waits", "wait")} for other jobs to finish.`,
  paused: (facts) => `${subject(facts, "is", "are")} paused by ${whose(facts, "owner")}.`,
  quotaFull: (facts) =>
    `${subject(facts, "waits", "wait")} for room: the storage quota of ${whose(facts, "customer")} is full.`,
  missingKernel: (facts) =>
    `${subject(facts, "waits", "wait")} for a kernel that is damaged on the server's disk, until it is put again.`,
  missingData: (facts) =>
    `${subject(facts, "waits", "wait")} for data that is damaged on the server's disk, until it is put again.`,
  noTasks: (facts) => `${subject(facts, "has", "have")} no tasks yet.`,
  noMoreTasks: (facts) => `${subject(facts, "has", "have")} no task left, and may get further ones.`,
  noClients: ({ jobs }) =>
    jobs === undefined
      ? "No client is connected."
      : `No client is connected; ${several(jobs, "job")} ${jobs === 1 ? "waits" : "wait"}.`,
  clientsAway: (facts) =>
    `${capital(several(facts.count ?? 1, "client"))} lost the connection, and may come back${within(facts)}; no other is connected.`,
  needsCommand: (facts) =>
    facts.isOfClient === true
      ? `${needs(facts)} the command ${facts.detail}, which the owner of this client does not allow.`
      : `${needs(facts)} the command ${facts.detail}, which no connected trusted client allows (\`manyhands client --allow-commands\`).`,
  needsKind: (facts) =>
    `${needs(facts)} ${facts.detail === "browser" ? "browsers" : "headless clients"}${lack(facts, "is one")}.`,
  needsMemory: (facts) => `${needs(facts)} ${facts.detail} MB of memory a slot${lack(facts, "has")}.`,
  needsWebgpu: (facts) => `${needs(facts)} WebGPU${lack(facts, "has")}.`,
  needsTrust: (facts) => `${needs(facts)} trusted clients${lack(facts, "is one")}.`,
  needsSigner: (facts) =>
    facts.isOfClient === true
      ? `${subject(facts, "is", "are")} not signed by anyone whom this client trusts.`
      : `${subject(facts, "is", "are")} signed by nobody whom a connected client trusts.`,
  needsTogether: (facts) =>
    `${needs(facts)} ${facts.detail} in one client; no connected client has all of that.`,
  clientsPaused: (facts) =>
    `${capital(allOf(facts.count))} that could compute ${object(facts)} ${facts.count === 1 ? "asks" : "ask"} for no tasks, because of a pause or a drain.`,
  barred: (facts) =>
    facts.isOfClient === true
      ? `This client failed at several tasks of ${facts.jobs === 1 ? "a job" : several(facts.jobs ?? 1, "job")} at which others did not, and gets no more of them.`
      : "The clients that are here failed at tasks at which others did not, and get no more of these jobs.",
  heldBack: (facts) =>
    facts.isOfClient === true
      ? `${subject(facts, "failed", "failed")} here; another client tries next${within(facts)}.`
      : `The first tasks of ${object(facts)} failed on every client that is here; another client is waited for${within(facts)}.`,
  clientsBusy: (facts) =>
    `${capital(allOf(facts.count))} that could compute ${object(facts)} ${facts.count === 1 ? "is" : "are"} busy with jobs that come first.`,
  creditUsed: (facts) =>
    facts.isOfClient === true
      ? "This client holds as many tasks as a newcomer gets; each result that it delivers earns more."
      : `${capital(allOf(facts.count))} that could compute ${object(facts)} hold as many tasks as newcomers get.`,
  needsOpinions: (facts) =>
    facts.isOfClient === true
      ? `${subject(facts, "waits", "wait")} for the result of somebody else, to compare.`
      : `${capital(several(facts.count ?? 1, "task"))} ${facts.count === 1 ? "waits" : "wait"} for the result of somebody else, to compare: all who are connected have given theirs.`,
  needsOtherClients: (facts) =>
    facts.isOfClient === true
      ? `${subject(facts, "has", "have")} left only tasks that failed here, which another client tries next.`
      : `${capital(several(facts.count ?? 1, "task"))} failed before, and ${facts.count === 1 ? "waits" : "wait"} for another client than those that tried.`,
  checking: (facts) =>
    facts.jobs === undefined
      ? `${capital(several(facts.count ?? 1, "result"))} of volunteers ${facts.count === 1 ? "waits" : "wait"} to be checked by ${facts.detail ?? "others"}.`
      : `${subject(facts, "has", "have")} only results left that others check.`,
  allLeased: (facts) => `${subject(facts, "has", "have")} every open task with a client already.`,
  slowClients: (facts) =>
    `${capital(several(facts.count ?? 1, "task"))} ${facts.count === 1 ? "takes" : "take"} much longer than the others: ${facts.detail}.`,
  saving: (facts) => `${subject(facts, "has", "have")} the last results on their way to disk.`,
  reading: (facts) => `${subject(facts, "has", "have")} tasks that the server is reading from its store.`,
  elsewhere: (facts) => `${subject(facts, "has", "have")} the open tasks at other servers.`,
};

function subject({ jobs }: Facts, one: string, many: string): string {
  if (jobs === undefined) return `The job ${one}`;
  return `${capital(several(jobs, "job"))} ${jobs === 1 ? one : many}`;
}

function object({ jobs }: Facts): string {
  return jobs === undefined ? "the job" : several(jobs, "job");
}

function needs(facts: Facts): string {
  return subject(facts, "needs", "need");
}

function lack({ isOfClient }: Facts, verb: "has" | "is one"): string {
  if (isOfClient === true)
    return verb === "has" ? ", which this client does not have" : ", and this client is none";
  return verb === "has" ? ", which no connected client has" : ", and no connected client is one";
}

function whose({ jobs }: Facts, noun: string): string {
  return jobs === undefined || jobs === 1 ? `its ${noun}` : `their ${noun}s`;
}

function allOf(count = 1): string {
  return count === 1 ? "the one client" : `all ${count.toLocaleString("en")} clients`;
}

function several(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function within({ endsInMs }: Facts): string {
  if (endsInMs === undefined) return "";
  const seconds = Math.max(1, Math.ceil(endsInMs / 1000));
  return seconds < 120
    ? ` within ${several(seconds, "second")}`
    : ` within ${several(Math.ceil(seconds / 60), "minute")}`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
