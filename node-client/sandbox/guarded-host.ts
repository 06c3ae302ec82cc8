import type { SandboxHost } from "../../shared/client/ports.ts";
import { plainBytes } from "../../shared/wire/plain-bytes.ts";
import { messageOf } from "../../shared/errors.ts";

/** Calls of `data` and `put` that may be open at once; a kernel that asks for more is not reading. */
const maxOpenCalls = 1024;

/**
 * A host as a sandbox process may call it: a bounded number of calls at a time, and errors without this side's stack.
 *
 * @param violated - called when the host finds that a report cannot come from the runner
 */
export function guardHost(host: SandboxHost, violated: (what: string) => void): SandboxHost {
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
    // The channel would make a Buffer of a Buffer again, and with it bring Node's class into the sandbox.
    data: (name, range) => guard(async () => plainBytes(await host.data(name, range))),
    put: (bytes) => guard(() => host.put(bytes)),
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
