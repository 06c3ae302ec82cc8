import type { Command } from "commander";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { limits } from "../../shared/limits.ts";
import { statementText } from "../../shared/wire/statement-text.ts";
import type { Attachment } from "../../shared/wire/rest/attachments.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { SetVerify } from "../../shared/wire/rest/verification.ts";
import { valueToJson } from "../../shared/wire/value-json.ts";
import type { Job } from "../job.ts";
import { serverCommand, wholeNumber, withHands, type ServerFlags } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";
import { writeOutcomes } from "./follow.ts";
import { jobsCommand, jobTable } from "./job-list.ts";
import {
  ago,
  printable,
  printableName,
  quotaFullText,
  rate,
  size,
  span,
  table,
  writeJson,
  writeLine,
} from "./output.ts";
import { progressView } from "./progress-bar.ts";
import { describeFailure, openOutput, isStandardOutput, resultWriter, shownWriter } from "./result-writer.ts";
import { resultsView } from "./transfer-view.ts";
import { givenVerify, verifyOptions } from "./verify-options.ts";

type Exit = (code: number) => void;

/** Commands that show and steer jobs. */
export function jobCommands(exit: Exit): Command[] {
  return [
    jobsCommand(),
    jobCommand(exit),
    resultsCommand(exit),
    logsCommand(),
    cancelCommand(),
    verb("pause", "Hand out no more tasks of a job; what runs is finished", (job) => job.pause()),
    verb("resume", "Go on with a paused job", (job) => job.resume()),
    priorityCommand(),
    verifyCommand(),
    provisionalCommand(),
    requeueCommand(),
    attachCommand(),
    attachmentsCommand(),
    deleteCommand(),
  ];
}

function cancelCommand(): Command {
  return serverCommand("cancel", "End a job, or every job of a group; results so far stay")
    .argument("[id]", "the job's id")
    .option("--group <name>", "end every job of this group that has not ended")
    .action(async (id: string | undefined, flags: ServerFlags & { group?: string }) => {
      const { group } = flags;
      if ((id === undefined) === (group === undefined))
        throw new PlatformError("BAD_OPTION", "Give the id of a job, or --group <name>, and not both.");
      if (group !== undefined) {
        const jobs = await withHands(flags, (hands) => hands.group(group).cancel());
        return flags.json
          ? writeJson(jobs)
          : writeLine(jobs.length > 0 ? jobTable(jobs) : "No job to cancel.");
      }
      const job = await withHands(flags, (hands) => hands.job(id ?? "").cancel());
      return flags.json ? writeJson(job) : writeLine(describeJob(job));
    });
}

function jobCommand(exit: Exit): Command {
  return serverCommand("job", "Show one job: counts, rate, estimated end, failures")
    .argument("<id>", "the job's id")
    .option("--wait", "wait until it has ended, with progress")
    .action(async (id: string, flags: ServerFlags & { wait?: boolean }) => {
      const job = await withHands(flags, async (hands) => {
        if (flags.wait) await waitFor(id, (options) => hands.job(id, options));
        return hands.job(id).status();
      });
      await (flags.json ? writeJson(job) : writeLine(describeJob(job)));
      if (flags.wait)
        exit(job.state === "finished" && job.counts.failed === 0 ? exitCodes.ok : exitCodes.failed);
    });
}

async function waitFor(
  id: string,
  open: (options: {
    onProgress: (progress: Parameters<ReturnType<typeof progressView>["show"]>[0]) => void;
  }) => Job,
): Promise<void> {
  const view = progressView(id, false);
  try {
    await open({ onProgress: (progress) => view.show(progress) }).settled();
  } finally {
    view.stop();
  }
}

function describeJob(job: JobInfo): string {
  const { counts } = job;
  const statement = statementText(job);
  const lines = [
    `${job.id}  ${printableName(job.name)}  (${printableName(job.customer)})`,
    `state     ${job.state}${job.paused ? ", paused" : ""}, priority ${job.priority}`,
    `tasks     ${counts.done} done, ${counts.failed} failed, ${counts.running} running, ${counts.queued} queued, ${counts.provisional} provisional, ${counts.cancelled} cancelled of ${counts.total}`,
    `rate      ${rate(job.rate)}${job.estimatedMs ? `, ${span(job.estimatedMs)} left` : ""}`,
    `kernel    ${job.kernel.sha256}`,
    `stored    ${size(job.inputBytes)} of inputs, ${size(job.outputBytes)} of outputs, besides blobs`,
    `made      ${ago(job.createdAt)}${job.endedAt === null ? "" : `, ended ${ago(job.endedAt)}`}`,
    ...(job.keepMs === undefined ? [] : [`kept      ${span(job.keepMs)} after its end`]),
    ...(statement === undefined ? [] : [`verified  ${statement}`]),
    ...(job.key === undefined ? [] : [`key       ${printableName(job.key)}`]),
    ...(job.group === undefined ? [] : [`group     ${printableName(job.group)}`]),
    ...(job.inputsFrom === undefined ? [] : [`inputs    outputs of ${job.inputsFrom}${inGroups(job)}`]),
    ...(job.quotaFull ? [`stopped   ${quotaFullText}`] : []),
    ...job.missingData.map((sha256) => `put again ${sha256} (damaged on the server's disk)`),
    ...(job.waitingFor.length === 0 ? [] : [`waits for ${job.waitingFor.join(" ")}`]),
  ];
  const failures = job.failures.map(describeFailure);
  return printable([...lines, ...(failures.length > 0 ? ["failures", ...failures] : [])].join("\n"));
}

function resultsCommand(exit: Exit): Command {
  return serverCommand("results", "Write a job's results as lines of JSON, in completion order")
    .argument("<id>", "the job's id")
    .option("--follow", "go on until the job has ended")
    .option(
      "--after <seq>",
      "only results after this sequence number",
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option("--ordered", "in the order of the inputs; needs --follow")
    .option("--out <file>", "where results go (standard output)")
    .option("--quiet", "no progress")
    .action(async (id: string, flags: ServerFlags & ResultFlags) => {
      const { out, ordered = false, after = 0 } = flags;
      const follow = flags.follow === true;
      const isQuiet = flags.json === true;
      await withHands(flags, async (hands) => {
        const job = hands.job(id);
        const outcomes = job.outcomes({ after, follow });
        const view = resultsView(out ?? "", isQuiet || flags.quiet === true || isStandardOutput(out));
        const { counts } = await job.status();
        const ended = counts.done + counts.failed + counts.cancelled;
        const expected = Math.max(0, (follow ? counts.total : ended) - after);
        const writer = shownWriter(resultWriter(await openOutput(out)), expected, view);
        try {
          exit(await writeOutcomes(job, outcomes, { writer, ordered, quiet: isQuiet }));
        } finally {
          view.stop();
        }
      });
    });
}

interface ResultFlags {
  readonly follow?: boolean;
  readonly after?: number;
  readonly ordered?: boolean;
  readonly out?: string;
  readonly quiet?: boolean;
}

function logsCommand(): Command {
  return serverCommand("logs", "Show the newest lines that a job's kernels wrote with ctx.log")
    .argument("<id>", "the job's id")
    .action(async (id: string, flags: ServerFlags) => {
      const lines = await withHands(flags, (hands) => hands.job(id).logs());
      if (flags.json) return writeJson(lines);
      for (const { at, index, client, line } of lines)
        await writeLine(printable(`${new Date(at).toISOString()} task ${index} on ${client}: ${line}`));
    });
}

function verb(name: string, summary: string, act: (job: Job) => Promise<JobInfo>): Command {
  return serverCommand(name, summary)
    .argument("<id>", "the job's id")
    .action(async (id: string, flags: ServerFlags) => {
      const job = await withHands(flags, (hands) => act(hands.job(id)));
      await (flags.json ? writeJson(job) : writeLine(describeJob(job)));
    });
}

function priorityCommand(): Command {
  return serverCommand("priority", "Change a job's priority; higher goes first")
    .argument("<id>", "the job's id")
    .argument(
      "<priority>",
      `${limits.minPriority} … ${limits.maxPriority}; above 100 for administrators`,
      wholeNumber(limits.minPriority, limits.maxPriority),
    )
    .addHelpText("after", "\nA negative one stands after two dashes: manyhands priority ID -- -5")
    .action(async (id: string, priority: number, flags: ServerFlags) => {
      const job = await withHands(flags, (hands) => hands.job(id).setPriority(priority));
      await (flags.json ? writeJson(job) : writeLine(describeJob(job)));
    });
}

function verifyCommand(): Command {
  const command = serverCommand("verify", "Change how a job's results of volunteers are verified");
  return verifyOptions(command)
    .argument("<id>", "the job's id")
    .action(async (id: string, flags: ServerFlags & SetVerify) => {
      const options = givenVerify(flags);
      if (Object.keys(options).length === 0)
        throw new PlatformError("BAD_OPTION", "Give --verify, --compare, or both.");
      const job = await withHands(flags, (hands) => hands.job(id).setVerify(options));
      await (flags.json ? writeJson(job) : writeLine(describeJob(job)));
    });
}

function provisionalCommand(): Command {
  return serverCommand("provisional", "Write a job's results of volunteers that are not accepted yet")
    .argument("<id>", "the job's id")
    .option("--after <index>", "only results of tasks after this one", wholeNumber(0, limits.maxTaskIndex))
    .option("--follow", "go on until the job has ended, with a notice when a result is accepted or withdrawn")
    .addHelpText(
      "after",
      `
Any of them may be wrong. Lines of {index, output, client}, lowest index first.
With --follow: {state: "provisional", index, output, client} for a result, and
{state: "accepted" or "withdrawn", index, client} when it is judged.`,
    )
    .action(async (id: string, flags: ServerFlags & { after?: number; follow?: boolean }) => {
      const { follow = false, after } = flags;
      const start = after === undefined ? {} : { after };
      await withHands(flags, async (hands) => {
        const job = hands.job(id);
        const items = follow ? job.provisional({ ...start, follow }) : job.provisional(start);
        for await (const item of items)
          await writeLine(
            JSON.stringify("output" in item ? { ...item, output: valueToJson(item.output) } : item),
          );
      });
    });
}

function requeueCommand(): Command {
  return serverCommand("requeue", "Try failed tasks once more: of a job, of several, or of a group of jobs")
    .alias("retry")
    .argument("[ids...]", "the jobs' ids")
    .option("--group <name>", "jobs of this group that have failed tasks")
    .option("--message <text>", "only tasks whose failure has this text in its message")
    .action(async (ids: string[], flags: ServerFlags & { group?: string; message?: string }) => {
      const { group, message } = flags;
      if ((ids.length === 0) === (group === undefined))
        throw new PlatformError("BAD_OPTION", "Give the ids of jobs, or --group <name>, and not both.");
      const only = message === undefined ? {} : { message };
      const { requeued, jobs } = await withHands(flags, async (hands) => {
        if (group !== undefined) return hands.group(group).requeueFailed(only);
        if (ids.length > 1)
          return hands.api.requeueJobs({
            jobs: await Promise.all(ids.map((id) => hands.job(id).id)),
            ...only,
          });
        return { requeued: await hands.job(ids[0]!).requeueFailed(only), jobs: [] };
      });
      if (flags.json) return writeJson({ requeued, ...(jobs.length > 0 && { jobs }) });
      await writeLine(`${requeued} tasks are queued again.`);
      for (const { id, refusal } of jobs)
        if (refusal) await writeLine(printable(`${id}: ${refusal.message}`), process.stderr);
    });
}

function attachCommand(): Command {
  return serverCommand("attach", "Attach pictures, texts or tables to a job, for its page")
    .argument("<id>", "the job's id")
    .argument("<files...>", "PNG, SVG, text or CSV, by their endings (.png, .svg, .txt, .csv)")
    .action(async (id: string, files: string[], flags: ServerFlags) => {
      const attached = await withHands(flags, async (hands) => {
        const job = hands.job(id);
        const done: Attachment[] = [];
        for (const file of files) done.push(await job.attach(basename(file), await readWhole(file)));
        return done;
      });
      await (flags.json ? writeJson(attached) : writeLine(attachmentTable(attached)));
    });
}

async function readWhole(file: string): Promise<Uint8Array> {
  return readFile(file).catch((error: unknown) => {
    throw new PlatformError("BAD_OPTION", `${file} cannot be read: ${messageOf(error)}.`, error);
  });
}

function attachmentsCommand(): Command {
  return serverCommand("attachments", "List what is attached to a job, or take one away")
    .argument("<id>", "the job's id")
    .option("--remove <name>", "take this one away")
    .action(async (id: string, flags: ServerFlags & { remove?: string }) => {
      const attachments = await withHands(flags, async (hands) => {
        const job = hands.job(id);
        if (flags.remove !== undefined) await job.detach(flags.remove);
        return job.attachments();
      });
      if (flags.json) return writeJson(attachments);
      return writeLine(attachments.length > 0 ? attachmentTable(attachments) : "Nothing is attached.");
    });
}

function attachmentTable(attachments: readonly Attachment[]): string {
  return table(attachments, [
    { head: "NAME", cell: ({ name }) => name },
    { head: "TYPE", cell: ({ type }) => type },
    { head: "SIZE", cell: (attachment) => size(attachment.size), right: true },
    { head: "SINCE", cell: ({ at }) => ago(at) },
  ]);
}

function deleteCommand(): Command {
  return serverCommand("delete", "Forget a job with its results; what still runs is cancelled")
    .argument("<id>", "the job's id")
    .action(async (id: string, flags: ServerFlags) => {
      await withHands(flags, (hands) => hands.job(id).delete());
      await (flags.json ? writeJson({ deleted: id }) : writeLine(`${id} is forgotten.`));
    });
}

function inGroups({ outputsPerTask }: JobInfo): string {
  return outputsPerTask === undefined ? "" : `, ${outputsPerTask} in an input`;
}
