import { emitKeypressEvents } from "node:readline";
import { Option } from "commander";
import type { ClientInfo } from "../../shared/wire/rest/clients.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { ServerStatus } from "../../shared/wire/rest/status.ts";
import type { Why } from "../../shared/wire/why.ts";
import type { Hands } from "../hands.ts";
import { duration, serverCommand, withHands, type ServerFlags } from "./command.ts";
import { printableName, rate, size, span, table, writeJson, writeLine } from "./output.ts";

/** What a screen shows. */
export interface TopPicture {
  readonly status: ServerStatus;
  readonly jobs: readonly JobInfo[];
  readonly clients: readonly ClientInfo[];
  readonly why: Why;
}

interface TopFlags extends ServerFlags {
  readonly every: number;
  readonly once?: boolean;
}

const wideScreen = 120;

/** `manyhands top`. */
export function topCommand() {
  return serverCommand("top", "Watch the server, its jobs and its clients; q ends it")
    .addOption(
      new Option("--every <time>", "time between two pictures").argParser(duration).default(2000, "2s"),
    )
    .option("--once", "show one picture and end")
    .action(async (flags: TopFlags) => {
      const { json, once, every } = flags;
      await withHands(flags, async (hands) => {
        // Into a file or a pipe goes one picture without control characters.
        if (json) return writeJson(await look(hands));
        if (once || !process.stdout.isTTY) return writeLine(draw(await look(hands), wideScreen, Infinity));
        await watch(hands, every);
      });
    });
}

async function look(hands: Hands): Promise<TopPicture> {
  const [status, jobs, clients, why] = await Promise.all([
    hands.status(),
    hands.jobs({ limit: 100, state: "active" }),
    hands.clients(),
    hands.api.why(),
  ]);
  return { status, jobs, clients, why };
}

/** Shows pictures on the terminal's second screen, until a key or signal ends that. */
async function watch(hands: Hands, everyMs: number): Promise<void> {
  const { stdin, stdout } = process;
  let end = (): void => {};
  const ended = new Promise<"ended">((resolve) => (end = () => resolve("ended")));
  const isKeyed = stdin.isTTY;
  const onKey = (_: string, { name, ctrl }: { name?: string; ctrl?: boolean }): void => {
    if (name === "q" || name === "escape" || (ctrl && name === "c")) end();
  };
  if (isKeyed) {
    emitKeypressEvents(stdin);
    stdin.setRawMode(true).on("keypress", onKey).resume();
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, end);
  stdout.write("\u001b[?1049h\u001b[?25l");
  try {
    for (;;) {
      const picture = await Promise.race([ended, look(hands)]);
      if (picture === "ended") return;
      const text = draw(picture, stdout.columns, stdout.rows - 1);
      // Each line is cleared behind its text, so that nothing flickers.
      stdout.write(`\u001b[H${text.replaceAll("\n", "\u001b[K\n")}\u001b[K\u001b[J`);
      let timer: NodeJS.Timeout | undefined;
      const waited = new Promise((resolve) => (timer = setTimeout(resolve, everyMs)));
      const first = await Promise.race([ended, waited]);
      clearTimeout(timer);
      if (first === "ended") return;
    }
  } finally {
    stdout.write("\u001b[?25h\u001b[?1049l");
    if (isKeyed) stdin.setRawMode(false).off("keypress", onKey).pause();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, end);
  }
}

/** A picture as text of at most so many columns and rows. */
export function draw({ status, jobs, clients, why }: TopPicture, columns: number, rows: number): string {
  const { tasks, blobs } = status;
  const connected = clients.filter((client) => client.connected);
  const head = [
    `manyhands ${status.version}   up ${span(Date.now() - status.startedAt)}   ${rate(status.rate)}   ${new Date().toLocaleTimeString("en-GB")}`,
    `clients ${status.clients.browser} browsers, ${status.clients.node} headless; ${status.clients.busy} of ${status.clients.slots} slots busy ${bar(status.clients.busy, status.clients.slots)}`,
    `tasks   ${tasks.queued} queued, ${tasks.running} running, ${tasks.provisional} provisional, ${tasks.done} done, ${tasks.failed} failed`,
    `data    ${size(blobs.bytes)} of ${size(blobs.quotaBytes)} in ${blobs.count} blobs`,
    ...(tasks.running === 0 ? why.reasons.slice(0, 3).map(({ text }) => `! ${printableName(text)}`) : []),
    "",
  ];
  const room = Math.max(2, rows - head.length - 3);
  const jobRows = Math.max(1, Math.min(jobs.length, Math.ceil(room / 2)));
  const busyJobs = jobs.toSorted((a, b) => b.counts.running - a.counts.running || b.createdAt - a.createdAt);
  const busyClients = connected.toSorted((a, b) => b.leases - a.leases || b.done - a.done);
  const lines = [
    ...head,
    ...(jobs.length === 0 ? ["No open jobs."] : jobTable(busyJobs.slice(0, jobRows)).split("\n")),
    "",
    ...(connected.length === 0
      ? ["No clients."]
      : clientTable(busyClients.slice(0, Math.max(1, room - jobRows))).split("\n")),
  ];
  return lines
    .slice(0, rows)
    .map((line) => cut(line, columns))
    .join("\n");
}

function jobTable(jobs: readonly JobInfo[]): string {
  return table(jobs, [
    { head: "JOB", cell: (job) => cut(printableName(job.name), 40) },
    { head: "CUSTOMER", cell: (job) => cut(printableName(job.customer), 16) },
    {
      head: "STATE",
      cell: (job) => (job.paused ? "paused" : job.counts.running > 0 ? "running" : "waiting"),
    },
    { head: "DONE", cell: (job) => bar(job.fraction, 1), right: true },
    { head: "", cell: ({ counts }) => `${counts.done}/${counts.total}`, right: true },
    { head: "FAILED", cell: (job) => job.counts.failed, right: true },
    { head: "RUNNING", cell: (job) => job.counts.running, right: true },
    { head: "RATE", cell: (job) => rate(job.rate), right: true },
    { head: "LEFT", cell: (job) => (job.estimatedMs ? span(job.estimatedMs) : ""), right: true },
  ]);
}

function clientTable(clients: readonly ClientInfo[]): string {
  return table(clients, [
    { head: "CLIENT", cell: (client) => cut(printableName(client.name), 40) },
    {
      head: "KIND",
      cell: (client) =>
        `${client.kind}${client.trusted ? ", trusted" : ""}${client.drained ? ", drained" : ""}`,
    },
    { head: "SLOTS", cell: (client) => client.slots, right: true },
    { head: "TASKS", cell: (client) => client.leases, right: true },
    { head: "A TASK", cell: ({ taskMs }) => (taskMs === null ? "" : span(taskMs)), right: true },
    { head: "DONE", cell: (client) => client.done, right: true },
    { head: "FAILED", cell: (client) => client.failed, right: true },
    { head: "LOST", cell: (client) => client.lost, right: true },
  ]);
}

function bar(part: number, whole: number): string {
  const full = whole > 0 ? Math.round((10 * Math.min(part, whole)) / whole) : 0;
  return `[${"#".repeat(full)}${".".repeat(10 - full)}]`;
}

function cut(text: string, columns: number): string {
  if (text.length <= columns) return text;
  const letters = Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
  return letters.length <= columns ? text : `${letters.slice(0, Math.max(0, columns - 1)).join("")}…`;
}
