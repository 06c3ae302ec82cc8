// The headless client in one file: `node client.mjs --rendezvous …` (see node-client/one-file.ts).
import "./supported-node.ts";
import { describeError, exitCodeOf } from "../customer/cli/exit-codes.ts";
import { clientCommand } from "../node-client/main.ts";
import { version } from "../shared/version.ts";

try {
  await clientCommand().name("client.mjs").version(version).exitOverride().parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
  const text = describeError(error, process.argv.includes("--json"));
  if (text !== undefined) process.stderr.write(`${text}\n`);
}
