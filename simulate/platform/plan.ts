import type { Verify } from "../../shared/wire/rest/verification.ts";
import { kernelNames, type KernelName } from "./kernels.ts";
import type { Conduct } from "./sandboxes.ts";

/** A client as the plan of a world draws it. */
export interface VolunteerPlan extends Conduct {
  readonly name: string;
  readonly address: string;
  readonly kind: "browser" | "node";
  /** Secret of a client token: the client is trusted. */
  readonly token: string | undefined;
  readonly slots: number;
}

/** A job as a customer's program submits it. */
export interface JobPlan {
  readonly name: string;
  readonly kernel: KernelName;
  readonly inputs: readonly number[];
  /** The program gives the job a key, so that it goes on with the job when it is run again. */
  readonly isKeyed: boolean;
  /** Pause before each input; 0: all inputs at once. */
  readonly inputMs: number;
  readonly verify: Verify;
  /** The job comes after the one before it. */
  readonly isAfter: boolean;
  /** Time at which the program cancels, or pauses and resumes, the job. */
  readonly cancelAtMs: number | undefined;
  readonly pauseAtMs: number | undefined;
  readonly pauseMs: number;
  /** Failed tasks are tried once more. */
  readonly requeues: boolean;
  readonly deletes: boolean;
  /** Clients that compute nothing are there, which alone may end a task by its timeout ([TRUST-3]). */
  readonly mayTimeOut: boolean;
}

/** Kinds of misfortune; each world has some of them (swarm testing, Groce et al. 2012). */
export const misfortunes = [
  "crash",
  "stop",
  "hold",
  "wallClock",
  "socketDrop",
  "cutOff",
  "clientKill",
  "clientStop",
  "clientPause",
  "clientSlots",
  "clientSleep",
  "programKill",
  "diskFull",
  "diskErrors",
  "commitFaults",
  "networkFaults",
  "sandboxFaults",
] as const;
export type Misfortune = (typeof misfortunes)[number] | (typeof sharedMisfortunes)[number];

/** Kinds of misfortune of several servers that share a database. */
const sharedMisfortunes = [
  "crash",
  "stop",
  "hold",
  "socketDrop",
  "cutOff",
  "clientKill",
  "clientPause",
  "clientSleep",
  "programKill",
  "networkFaults",
  "sandboxFaults",
  "databaseRestart",
  "databaseCrash",
  "databaseCut",
  "databaseFull",
  "sessionDrop",
  "databaseFaults",
] as const;

/** A world, drawn from its seed. */
export interface Plan {
  /** Several servers share a database; one has a disk. */
  readonly servers: number;
  readonly volunteers: readonly Omit<VolunteerPlan, "token">[];
  /** Names of the volunteers that get a client token. */
  readonly trusted: ReadonlySet<string>;
  readonly programs: readonly (readonly JobPlan[])[];
  readonly auditors: number;
  readonly misfortunes: readonly Misfortune[];
  /** Mean time between two misfortunes. */
  readonly everyMs: number;
  readonly stormMs: number;
  /** A reading of the clock takes so long. */
  readonly readMs: number;
}

export function drawPlan(random: () => number): Plan {
  const count = (most: number): number => Math.floor(random() * (most + 1));
  const chance = (of: number): boolean => random() < of;
  const isVerified = chance(0.45);
  const trustedCount = isVerified ? 1 + count(1) : count(2);
  const strangerCount = trustedCount === 0 ? 1 + count(3) : count(3);
  const volunteers: Omit<VolunteerPlan, "token">[] = [];
  const add = (name: string, isTrusted: boolean): void => {
    const isRogue = !isTrusted && isVerified;
    volunteers.push({
      name,
      address: isTrusted ? "10.0.0.1" : `10.0.${1 + count(2)}.${1 + count(100)}`,
      kind: chance(0.5) ? "node" : "browser",
      slots: 1 + count(3),
      slowness: 0.5 + 2 * random(),
      lies: isRogue && chance(0.3),
      hoards: !isTrusted && volunteers.length > 0 && chance(0.15),
    });
  };
  for (let i = 0; i < trustedCount; i++) add(`node-${i}`, true);
  for (let i = 0; i < strangerCount; i++) add(`tab-${i}`, false);
  const nature = {
    isVerified,
    hasLiars: volunteers.some(({ lies }) => lies),
    mayTimeOut: volunteers.some(({ hoards }) => hoards),
  };
  const programs = Array.from({ length: 1 + count(2) }, (_, program) => drawProgram(random, program, nature));
  return {
    servers: 1,
    volunteers,
    trusted: new Set(volunteers.slice(0, trustedCount).map(({ name }) => name)),
    programs,
    auditors: isVerified || chance(0.5) ? 1 : 0,
    misfortunes: misfortunes.filter(() => chance(0.4)),
    everyMs: 100 * 40 ** random(),
    stormMs: 2000 + 25_000 * random() ** 2,
    readMs: chance(0.15) ? 4 : 0.001,
  };
}

/** A world of several servers. */
export function drawSharedPlan(random: () => number): Plan {
  const plan = drawPlan(random);
  return {
    ...plan,
    programs: plan.programs.map((jobs) => jobs.map(withoutQuorum)),
    servers: random() < 0.5 ? 2 : 3,
    misfortunes: sharedMisfortunes.filter(() => random() < 0.4),
  };
}

/** The second opinion of a quorum has to come from a client of the server that has the first: see docs/simulation.md. */
function withoutQuorum(job: JobPlan): JobPlan {
  return typeof job.verify === "object" ? { ...job, verify: "audit" } : job;
}

interface Nature {
  readonly isVerified: boolean;
  readonly hasLiars: boolean;
  readonly mayTimeOut: boolean;
}

function drawProgram(random: () => number, program: number, nature: Nature): JobPlan[] {
  const chance = (of: number): boolean => random() < of;
  const jobs: JobPlan[] = [];
  for (let at = Math.floor(random() * 3); at >= 0; at--) {
    const size = Math.floor(60 ** random());
    const isKeyed = chance(0.6);
    const before = jobs.at(-1);
    jobs.push({
      name: `job ${program}.${jobs.length}`,
      kernel: kernelNames[Math.floor(random() * kernelNames.length)]!,
      inputs: Array.from({ length: size }, () => Math.floor(random() * 1000)),
      isKeyed,
      inputMs: chance(0.5) ? 0 : 300 * random() ** 2,
      verify: drawVerify(random, nature),
      // A job without a key is another one in the program's next run.
      isAfter: before !== undefined && (before.isKeyed || !isKeyed) && chance(0.3),
      cancelAtMs: chance(0.08) ? 5000 * random() : undefined,
      pauseAtMs: chance(0.15) ? 5000 * random() : undefined,
      pauseMs: 5000 * random(),
      requeues: chance(0.3),
      deletes: chance(0.2),
      mayTimeOut: nature.mayTimeOut,
    });
  }
  return jobs;
}

/** Liars agree on their lies, so a quorum of them would be believed. */
function drawVerify(random: () => number, { isVerified, hasLiars }: Nature): Verify {
  const roll = random();
  if (!isVerified) return "off";
  if (roll < 0.1) return "trusted";
  return roll < 0.3 && !hasLiars ? { quorum: 2 } : "audit";
}
