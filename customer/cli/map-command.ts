import { Option, type Command } from "commander";
import { PlatformError } from "../../shared/errors.ts";
import { limits } from "../../shared/limits.ts";
import type { Value } from "../../shared/wire/codec.ts";
import type { Hands } from "../hands.ts";
import { python } from "../python-kernel/python-function.ts";
import type { ProgramInput } from "../kernel/program-kernel.ts";
import type { MapOptions } from "../map-options.ts";
import type { Progress } from "../progress.ts";
import type { Outputs } from "../outputs.ts";
import type { ReduceOptions } from "../reduction.ts";
import type { Inputs } from "../submission.ts";
import type { Requirements } from "../../shared/wire/rest/requirements.ts";
import type { Compare, Verify } from "../../shared/wire/rest/verification.ts";
import { statementText } from "../../shared/wire/statement-text.ts";
import {
  duration,
  serverCommand,
  wholeNumber,
  withHands,
  type Connector,
  type ParallelOption,
  type ServerFlags,
} from "./command.ts";
import { detach, writeCombined } from "./combined.ts";
import { leaveOnInterrupt, sayWhatStays, writeOutcomes } from "./follow.ts";
import { readInputs, readRange } from "./input-file.ts";
import { writeJson, writeLine } from "./output.ts";
import { openOutput, resultWriter } from "./result-writer.ts";
import { progressView } from "./progress-bar.ts";
import { givenVerify, verifyOptions } from "./verify-options.ts";
import { programOf, programOptions, type ProgramFlags } from "./program-options.ts";

interface MapFlags extends ServerFlags, ProgramFlags {
  readonly parallel?: string;
  readonly inputs?: string;
  readonly range?: string;
  readonly inputsFrom?: string;
  readonly outputsPerTask?: number;
  readonly combine?: boolean;
  readonly perTask?: number;
  readonly fanIn?: number;
  readonly out?: string;
  readonly ordered?: boolean;
  readonly detach?: boolean;
  readonly key?: string;
  readonly name?: string;
  readonly description?: string;
  readonly priority?: number;
  readonly maxAttempts?: number;
  readonly timeout?: number;
  readonly memory?: number;
  readonly seed?: string;
  readonly window?: number;
  readonly group?: string;
  readonly after?: readonly string[];
  readonly kind?: "browser" | "node";
  readonly trusted?: boolean;
  readonly verify?: Verify;
  readonly compare?: Compare;
  readonly check?: boolean;
  readonly keep?: number;
  readonly public?: boolean;
  readonly failFast: boolean;
  readonly math?: "portable" | "native";
  readonly on?: string;
  readonly quiet?: boolean;
}

const help = `
Examples:
  manyhands map square.ts --range 0:1000
  manyhands map blur.ts --inputs images.ndjson --out blurred.ndjson --key blur-1
  generate | manyhands map score.ts --inputs - > scores.ndjson
  manyhands map square.ts --range 0:1000 --parallel thread:auto
  manyhands map histogram.ts --range 0:1000 --combine > histogram.json
  manyhands put *.fasta | manyhands map --wasi fasttree.wasm --inputs - -- -nt {input}
  manyhands map --command 'blastp -db /data/swissprot -query {input}' --inputs proteins.ndjson
  manyhands map model.py:score --range 0:1000

Inputs are JSON values; {"$ref": {"sha256": …, "size": …}} is a data reference (\`manyhands put\` prints it),
{"$bytes": "<base64>"} are bytes. Results are lines of {"seq", "index", "output"} or {"seq", "index", "error"}, in completion order.
With --key, the same command run again after a kill goes on with the job it began. Without, a job whose inputs cannot be
read to their end is cancelled.

With --combine the result is one value, as JSON: the kernel module exports \`combine(a, b)\` as well (a Python file has a function of this name),
which is associative. It is called on the clients, in the order of the inputs, so that the value has the same bits on any clients as long as --per-task and --fan-in are the same. With
--detach the printed id is that of the job whose only output is the value.`;

/** `manyhands map <kernel>`: applies a kernel module to inputs from a file. */
export function mapCommand(run: (code: number) => void, parallel: ParallelOption): Command {
  const command = serverCommand("map", "Run a kernel module over inputs and write the results");
  const connectTo = parallel(command);
  return programOptions(verifyOptions(command))
    .argument(
      "[kernel...]",
      "module whose default export is (input, ctx) => output, bundled with what it imports; or model.py:f, a function in Python. With --wasi or --command: further arguments",
    )
    .option(
      "--on <command>",
      "for model.py:f: a command of trusted clients whose own Python computes it, such as python3",
    )
    .option("--inputs <file>", "a .json array, lines of JSON (NDJSON), or - for standard input")
    .option("--range <from:to[:step]>", "whole numbers as inputs, from up to but not including to")
    .option("--inputs-from <id>", "the outputs of this job, each passed on by the server as it is accepted")
    .option(
      "--outputs-per-task <n>",
      "with --inputs-from: each input is the array of the outputs of so many neighbouring tasks",
      wholeNumber(2, limits.outputsPerTask),
    )
    .option("--combine", "combine the outputs into one value on the clients, with the module's `combine`")
    .option(
      "--per-task <n>",
      "with --combine: inputs of one task (about the square root of their number; 32 for inputs of a stream)",
      wholeNumber(1, limits.maxTaskIndex),
    )
    .option(
      "--fan-in <n>",
      "with --combine: outputs that one task combines (8)",
      wholeNumber(2, limits.outputsPerTask),
    )
    .option("--out <file>", "where results go (standard output)")
    .option("--ordered", "write results in the order of the inputs")
    .option("--detach", "print the job's id once all inputs are on the server, and leave")
    .option("--key <key>", "name the job, so that the same command goes on with it")
    .option("--name <name>", "what people see (the kernel's file name)")
    .option("--priority <n>", "higher goes first", wholeNumber(limits.minPriority, limits.maxPriority))
    .option("--max-attempts <n>", "tries of a task before it has failed", wholeNumber(1, limits.maxAttempts))
    .option("--timeout <time>", "longest a task may take, e.g. 90s, 5m, 2h", duration)
    .option("--memory <MiB>", "memory a task may take", wholeNumber(limits.minMemoryMb, limits.maxMemoryMb))
    .option("--seed <text>", "seeds ctx.random")
    .option(
      "--window <n>",
      "most unfinished tasks on the server, for endless inputs",
      wholeNumber(1, 2 ** 31),
    )
    .option("--description <text>", "what the job is for, for the people whose machines compute it")
    .option("--group <name>", "label the job, to list and cancel it with others")
    .option("--after <id...>", "compute nothing before these jobs have finished without a failed task")
    .addOption(new Option("--kind <kind>", "only clients of this kind").choices(["browser", "node"]))
    .option(
      "--keep <time>",
      "delete the job and its results so long after its end, e.g. 12h or 30d",
      duration,
    )
    .option("--public", "show the job's name and yours on the public page of the project, where there is one")
    .option("--no-fail-fast", "try every task, also when the first ones all fail alike")
    .addOption(
      new Option(
        "--math <kind>",
        "portable (default): the same bits on every client; native: Math, clocks, languages and time zones as a client's engine has them",
      ).choices(["portable", "native"]),
    )
    .option("--trusted", "only clients that joined with a token")
    .option("--check", "the kernel module's check looks at every result of a volunteer")
    .option(
      "--sign-key <file>",
      "sign the kernel with this key (MANYHANDS_SIGN_KEY; see `manyhands key create`)",
    )
    .option("--quiet", "no progress, no list of failures")
    .addHelpText("after", help)
    .action(async (words: string[], flags: MapFlags) => {
      run(await map(words, flags, connectTo));
    });
}

async function map(words: readonly string[], flags: MapFlags, connectTo: Connector): Promise<number> {
  checkCombining(flags);
  const program = programOf(flags, words);
  const [kernel = ""] = program ? [program.name] : words;
  if (!program && words.length !== 1)
    throw new PlatformError(
      "BAD_OPTION",
      `Give one kernel module, --wasi with a program, or --command; ${words.length} words were given.`,
    );
  if (flags.on !== undefined && program)
    throw new PlatformError(
      "BAD_OPTION",
      "--on belongs to a function in Python such as model.py:f; --wasi and --command do not go with it.",
    );
  const own = flags.on === undefined ? undefined : python(kernel, { on: flags.on });
  const given = await inputsOf(flags);
  // The output file is opened before any task is computed, because results that cannot be written are worth nothing.
  const output = flags.detach ? undefined : await openOutput(flags.out);
  const writer = output && resultWriter(output);
  const name = flags.name ?? kernel.replace(/^.*[/\\]/, "");
  const view = progressView(name, flags.quiet === true);
  const work = async (hands: Hands): Promise<number> => {
    let total = 0;
    let verified: string | undefined;
    const onProgress = (progress: Progress): void => {
      ({ total } = progress);
      verified = statementText({ verify: flags.verify ?? "audit", statement: progress.statement });
      view.show(progress);
    };
    const { ordered = false, quiet = false, json = false } = flags;
    const options = { ...jobOptionsOf(flags), onProgress };
    const inputs = given ?? outputsOf(hands, flags);
    if (flags.combine) {
      const reduction = own
        ? hands.reduce(own, inputs, { ...options, ...countsOf(flags) })
        : hands.reduce(kernel, inputs, { ...options, ...countsOf(flags) });
      const mayGoOn = flags.key !== undefined;
      try {
        if (!output) await detach(reduction, json);
        else await writeCombined(hands, reduction, output, { mayGoOn, quiet, isKept: !endsHere(flags) });
        return 0;
      } finally {
        view.stop();
      }
    }
    const job = program
      ? hands.map(program, inputs as Inputs<ProgramInput>, options)
      : own
        ? hands.map(own, inputs, options)
        : hands.map(kernel, inputs, options);
    const leave = leaveOnInterrupt(job, { mayGoOn: flags.key !== undefined });
    try {
      if (!writer) {
        await job.submitted;
        const id = await job.id;
        await (json ? writeJson({ id }) : writeLine(id));
        return 0;
      }
      const code = await writeOutcomes(job, job, { writer, ordered, quiet, isKept: !endsHere(flags) });
      if (total === 0 && !quiet) await writeLine("The job had no tasks: there was no input.", process.stderr);
      view.stop();
      if (verified !== undefined && !quiet) await writeLine(`Verified: ${verified}.`, process.stderr);
      return code;
    } catch (error) {
      view.stop();
      if (writer?.hasFailed) await leave();
      else if (flags.key !== undefined) await sayWhatStays(job);
      throw error;
    } finally {
      view.stop();
    }
  };
  try {
    return await withHands(flags, work, connectTo);
  } finally {
    // A pipe of inputs may be silent for ever, and a cancelled job needs no inputs.
    if (flags.inputs === "-") process.stdin.destroy();
  }
}

/** Refuses options that do not go together with `--combine`, or with its absence. */
function checkCombining(flags: MapFlags): void {
  const without = (["perTask", "fanIn"] as const).filter((name) => flags[name] !== undefined);
  if (!flags.combine && without.length > 0)
    throw new PlatformError("BAD_OPTION", "--per-task and --fan-in belong to --combine, which is missing.");
  if (flags.combine && (flags.wasi ?? flags.command) !== undefined)
    throw new PlatformError(
      "BAD_OPTION",
      "--combine needs a kernel module's `combine`, which a program has not.",
    );
  const needless = (["ordered", "window", "check", "outputsPerTask"] as const).filter(
    (name) => flags[name] !== undefined,
  );
  if (flags.combine && needless.length > 0)
    throw new PlatformError(
      "BAD_OPTION",
      "--combine makes one value; --ordered, --window, --check and --outputs-per-task do not go with it.",
    );
  if (flags.outputsPerTask !== undefined && flags.inputsFrom === undefined)
    throw new PlatformError("BAD_OPTION", "--outputs-per-task belongs to --inputs-from, which is missing.");
}

/** Whether the server ends with this command, as with `thread` and `mpi`, so that no other command can use the job. */
function endsHere({ server, parallel }: MapFlags): boolean {
  return server === undefined && /^\s*(thread|mpi)\b/.test(parallel ?? "");
}

/** The inputs of a file or range; undefined when they are the outputs of a job. */
async function inputsOf(flags: MapFlags): Promise<Inputs<Value> | undefined> {
  const given = [flags.inputs, flags.range, flags.inputsFrom].filter((flag) => flag !== undefined);
  if (given.length !== 1)
    throw new PlatformError("BAD_OPTION", "Give either --inputs FILE, --range FROM:TO or --inputs-from JOB.");
  if (flags.inputsFrom !== undefined) return undefined;
  return flags.range !== undefined ? readRange(flags.range) : readInputs(flags.inputs ?? "-");
}

function outputsOf(
  hands: Hands,
  { inputsFrom = "", outputsPerTask }: MapFlags,
): Outputs<Value> | Outputs<Value[]> {
  const job = hands.job(inputsFrom);
  return outputsPerTask === undefined ? job.outputs() : job.outputs({ perTask: outputsPerTask });
}

function countsOf({ perTask, fanIn }: MapFlags): Pick<ReduceOptions, "perTask" | "fanIn"> {
  return { ...(perTask !== undefined && { perTask }), ...(fanIn !== undefined && { fanIn }) };
}

function jobOptionsOf(flags: MapFlags): MapOptions {
  const requires: Requirements = {
    ...(flags.kind && { kind: flags.kind }),
    ...(flags.trusted && { trusted: true }),
  };
  const {
    key,
    name,
    description,
    priority,
    maxAttempts,
    timeout,
    memory,
    seed,
    window,
    group,
    after,
    math,
    keep,
  } = flags;
  return {
    requires,
    ...(key !== undefined && { key }),
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(priority !== undefined && { priority }),
    ...(maxAttempts !== undefined && { maxAttempts }),
    ...(timeout !== undefined && { timeoutMs: timeout }),
    ...(memory !== undefined && { memoryMb: memory }),
    ...(seed !== undefined && { seed }),
    ...(window !== undefined && { window }),
    ...(group !== undefined && { group }),
    ...(after !== undefined && { after }),
    ...givenVerify(flags),
    ...(flags.check && { check: true }),
    ...(!flags.failFast && { failFast: false }),
    ...(math !== undefined && { math }),
    ...(keep !== undefined && { keepMs: keep }),
    ...(flags.public === true && { public: true }),
  };
}
