import { Command, InvalidArgumentError } from "commander";

/** Options of `manyhands demo`. */
export interface DemoOptions {
  readonly particles: number;
  readonly box: number;
  readonly snr: number;
  readonly seed: string;
  readonly clients: number;
  readonly slots: number;
  readonly host: string;
  readonly port?: number;
  readonly server?: string;
  readonly token?: string;
  readonly keepServing: boolean;
  readonly out: string;
  readonly json: boolean;
}

/** The command without its action. */
export function describeDemo(): Command {
  return new Command("demo")
    .description(
      "Reconstruct β-galactosidase from noisy images of random orientation, on this machine and every browser that joins.",
    )
    .option("--particles <n>", "particle images", whole(20, 20_000), 1500)
    .option("--box <n>", "pixels of an image a side, even; 64 show 227 Å at 3.54 Å", box, 64)
    .option(
      "--snr <ratio>",
      "variance of the signal over the whole box ÷ variance of the noise",
      positive,
      0.2,
    )
    .option("--seed <text>", "of orientations, shifts and noise: the same seed gives the same maps", "1")
    .option("--clients <n>", "headless clients to start; 0 leaves the work to browsers", whole(0, 64), 2)
    .option("--slots <n>", "kernels at once in each headless client", whole(1, 64), 1)
    .option("--host <address>", "address the server listens on; 0.0.0.0 lets other machines in", "127.0.0.1")
    .option("--port <n>", "port of the server (9990, or a free one when that is taken)", whole(0, 65_535))
    .option("--server <url>", "use this running server and its clients, and start none")
    .option(
      "--token <token>",
      "access token for --server (MANYHANDS_TOKEN; on its own machine it is found by itself)",
    )
    .option("--keep-serving", "leave the server and its clients running at the end, until Ctrl-C", false)
    .option("--out <directory>", "where maps and pictures go", "demo-output")
    .option("--json", "print the summary as JSON", false);
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`);
  };
}

function box(text: string): number {
  const value = whole(24, 100)(text);
  if (value % 2 === 0) return value;
  throw new InvalidArgumentError("expected an even number from 24 to 100");
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("expected a number above 0");
}
