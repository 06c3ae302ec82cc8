import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { promisify } from "node:util";
import * as v from "valibot";
import { messageOf, PlatformError } from "../../shared/errors.ts";

/** Programs that keep images, with the same commands; the first that has an image gives it. */
const programs = ["podman", "docker"];
const answerMs = 60_000;
/** Longest time in which the files of an image come. */
const exportMs = 3_600_000;

/** An image that a program of this machine keeps. */
export interface FoundImage {
  readonly program: string;
  readonly id: string;
  readonly env: Readonly<Record<string, string>>;
}

const inspectedSchema = v.pipe(
  v.array(
    v.object({
      Id: v.pipe(v.string(), v.regex(/^(?:sha256:)?[0-9a-f]{64}$/)),
      Config: v.nullish(v.object({ Env: v.nullish(v.array(v.string())) })),
    }),
  ),
  v.length(1),
);

/** Finds an image by its name. Nothing is pulled. @throws PlatformError BAD_OPTION with what to run */
export async function findImage(name: string): Promise<FoundImage> {
  const refusals: string[] = [];
  for (const program of programs) {
    try {
      const inspected = v.parse(inspectedSchema, JSON.parse(await run(program, ["image", "inspect", name])));
      const [{ Id, Config }] = inspected as [(typeof inspected)[0]];
      return { program, id: Id.replace("sha256:", ""), env: environmentOf(Config?.Env ?? []) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") refusals.push(`${program}: ${told(error)}`);
    }
  }
  const remedy =
    refusals.length === 0
      ? "Neither podman nor docker is installed; install podman, or name a directory with the files of the image."
      : `Run "${refusals[0]!.split(":")[0]} pull ${name}" (${refusals.join("; ")}).`;
  throw new PlatformError("BAD_OPTION", `The image ${name} is not on this machine. ${remedy}`);
}

/** Writes the files of an image into a directory. No program of the image runs. */
export async function exportImage({ program, id }: FoundImage, directory: string): Promise<void> {
  // Files are exported from a container, which is made and never started.
  const container = `manyhands-${randomUUID()}`;
  await run(program, ["create", "--pull", "never", "--network", "none", "--name", container, id, "/none"]);
  const archive = `${directory}.tar`;
  try {
    // Podman writes no archive into a socket, as which Node has the pipes of its children.
    await run(program, ["export", "-o", archive, container], exportMs);
    // Owners and devices of the image need rights that a user has not.
    const options = ["--no-same-owner", "--exclude=dev/*", "--exclude=./dev/*"];
    await run("tar", ["-x", "-f", archive, "-C", directory, ...options], exportMs);
  } catch (error) {
    throw new Error(told(error), { cause: error });
  } finally {
    rmSync(archive, { force: true });
    await run(program, ["rm", "-f", container]).catch(() => undefined);
  }
}

/** @returns standard output */
async function run(program: string, args: readonly string[], timeout = answerMs): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { timeout, maxBuffer: 2 ** 24 });
  return stdout;
}

/** The error that a program wrote to standard error, which may have warnings before it; or why it did not start. */
function told(error: unknown): string {
  const lines = ((error as { stderr?: string }).stderr ?? "").trim().split("\n");
  return (lines.find((line) => /^Error\b/.test(line)) || lines[0] || messageOf(error)).slice(0, 200);
}

function environmentOf(pairs: readonly string[]): Record<string, string> {
  const named = pairs.map((pair) => /^([A-Za-z_]\w*)=([^]*)$/.exec(pair));
  return Object.fromEntries(named.flatMap((match) => (match ? [[match[1]!, match[2]!]] : [])));
}
