import * as v from "valibot";
import type { SandboxHost } from "../../shared/client/ports.ts";
import { blobNameSchema } from "../../shared/data-reference.ts";
import { plainBytes } from "../../shared/wire/plain-bytes.ts";
import { messageOf } from "../../shared/errors.ts";
import type { ProcessHost } from "./frames.ts";
import type { LinkedFiles } from "./linked-files.ts";

/** Most pending calls of `data`, `file`, `put` and `command`; a kernel with more does not read the results. */
const maxOpenCalls = 1024;

/**
 * The host for a sandbox process: the number of pending calls is bounded, and errors have no stack of this process.
 *
 * @param violated - called when a report cannot come from the runner
 * @param files - absent: no blob is a file of the process
 */
export function guardHost(
  host: SandboxHost,
  violated: (what: string) => void,
  files?: LinkedFiles,
): ProcessHost {
  let openCalls = 0;
  const guard = async <T>(call: () => Promise<T>): Promise<T> => {
    if (openCalls >= maxOpenCalls) throw withoutStack(`more than ${maxOpenCalls} data calls at once`);
    openCalls++;
    try {
      return await call();
    } catch (error) {
      throw withoutStack(messageOf(error));
    } finally {
      openCalls--;
    }
  };
  return {
    // The channel would send a Buffer as a Buffer, and bring Node's class into the sandbox.
    data: (name, range) => guard(async () => plainBytes(await host.data(name, range))),
    file: (name, done) =>
      guard(async () => {
        if (!v.is(blobNameSchema, name) || !Array.isArray(done) || done.length > maxOpenCalls)
          throw new Error("That is no question for a file.");
        return files?.file(name, done);
      }),
    put: (bytes) => guard(() => host.put(bytes)),
    command: (call) =>
      guard(async () => {
        if (!host.command) throw new Error("This client runs no commands.");
        return host.command(call);
      }),
    report: (report) => {
      try {
        host.report(report);
      } catch (error) {
        violated(messageOf(error));
      }
    },
  };
}

function withoutStack(message: string): Error {
  const error = new Error(message);
  error.stack = message;
  return error;
}
