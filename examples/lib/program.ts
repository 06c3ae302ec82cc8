import cliProgress from "cli-progress";
import { Command, InvalidArgumentError } from "commander";
import type { Hands } from "../../customer/index.ts";
import { computeOnHands } from "../../science/compute-hands.ts";
import type { Compute } from "../../science/compute.ts";
import { isPixelSize } from "../../science/mrc.ts";
import type { RunStage } from "../../science/stage-settings.ts";
import type { ReadOptions } from "./images.ts";
import { parallelOption } from "../../parallel/option.ts";
import { messageOf } from "../../shared/errors.ts";

/** Options of every program. */
export interface ProgramOptions {
  readonly out: string;
  /** Pixel size, Å. */
  readonly apix?: number;
  /** RELION's project directory. */
  readonly project?: string;
}

/** Context of a program's work. */
export interface Workplace {
  readonly compute: Compute;
  readonly stage: RunStage;
  /** Reports an oddity that does not stop the program. */
  readonly warn: (warning: string) => void;
}

/** A program's command, and a runner for its work. */
export interface Program {
  readonly command: Command;
  /** Connects, runs the work and prints the returned text; a refusal is a single line without a stack. */
  readonly run: (work: (workplace: Workplace) => Promise<string>) => Promise<void>;
}

/** Makes a program with the common options. */
export function describeProgram(name: string, summary: string, out: string): Program {
  const command = new Command(name)
    .description(summary)
    .option("--out <directory>", "where the results go", out)
    .option("--apix <Å>", "pixel size, instead of what the headers of stacks and maps say", pixelSize)
    .option(
      "--project <directory>",
      "RELION's project directory, from which STAR files name their stacks (default: they are looked for beside the file, then here, and written from --out)",
    )
    .showHelpAfterError("(--help shows what is expected)");
  const connect = parallelOption(command);
  command.addHelpText(
    "after",
    "\nWhen it was killed, the same command goes on where it stopped: what is computed stays on the server.",
  );
  return { command, run: (work) => runProgram(name, connect, work) };
}

async function runProgram(
  name: string,
  connect: () => Promise<Hands>,
  work: (workplace: Workplace) => Promise<string>,
): Promise<void> {
  let hands: Hands | undefined;
  try {
    hands = await connect();
    const warn = (warning: string): void => void process.stderr.write(`${name}: warning: ${warning}\n`);
    const compute = computeOnHands(hands, { name, resumable: true, warn });
    const summary = await work({ compute, stage: showStage(process.stderr), warn });
    process.stdout.write(`${summary}\n`);
  } catch (error) {
    process.stderr.write(`${name}: ${messageOf(error)}\n`);
    process.exitCode = 1;
  } finally {
    await hands?.[Symbol.asyncDispose]();
  }
}

const nameWidth = 32;

/** Shows a progress bar for each stage on a terminal, or a line for each stage elsewhere. */
function showStage(stream: NodeJS.WriteStream): RunStage {
  return async (name, work) => {
    const started = performance.now();
    const bar = stream.isTTY
      ? new cliProgress.SingleBar(
          {
            format: `${name.padEnd(nameWidth)} {bar} {percentage}% {duration_formatted}`,
            hideCursor: true,
            stream,
          },
          cliProgress.Presets.shades_classic,
        )
      : undefined;
    bar?.start(1, 0);
    try {
      const result = await work((fraction) => bar?.update(fraction));
      bar?.update(1);
      return result;
    } finally {
      bar?.stop();
      if (!bar)
        stream.write(`${name.padEnd(nameWidth)} ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
    }
  };
}

/** Options for reading a program's images. The stacks of a generated sample are beside its STAR file, not in a project. */
export function readOptions(
  { apix, project, sample }: ProgramOptions & { readonly sample?: number },
  warn: Workplace["warn"],
): ReadOptions {
  return { warn, apix, project: sample === undefined ? project : undefined };
}

/** @throws RangeError for a generated sample together with files, which would be ignored */
export function oneInput(sample: number | undefined, ...files: readonly (string | undefined)[]): void {
  const file = files.find((name) => name !== undefined);
  if (sample !== undefined && file !== undefined)
    throw new RangeError(`--sample ${sample}, and ${file}; one of the two was expected`);
}

/** Option parser: a number above 0. */
export function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("a number above 0 was expected");
}

/** Option parser: side of a pixel, Å. */
function pixelSize(text: string): number {
  if (isPixelSize(Number(text))) return Number(text);
  throw new InvalidArgumentError("a pixel size of 0.05 … 10,000 Å was expected");
}

/** Option parser: a whole number from `min` on. */
export function whole(min: number): (text: string) => number {
  return (text) => {
    if (/^\d+$/.test(text) && Number(text) >= min) return Number(text);
    throw new InvalidArgumentError(`a whole number from ${min} was expected`);
  };
}

/** Option parser: above 0, at most 1. */
export function part(text: string): number {
  if (positive(text) <= 1) return Number(text);
  throw new InvalidArgumentError("a number above 0, at most 1, was expected");
}
