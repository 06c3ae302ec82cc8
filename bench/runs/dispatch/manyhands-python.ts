/** `node manyhands-python.ts [--tasks 20000]`: as manyhands.ts, with a customer in Python. */
import { join } from "node:path";
import { debianPython } from "../../harness/services/debian.ts";
import { startProgram } from "../support/children.ts";
import { startClient, startServer } from "../support/platform.ts";
import { report } from "../support/report.ts";

const module = join(import.meta.dirname, "..", "..", "..", "python");

const server = await startServer();
await startClient(server, "node", 2);
const program = join(import.meta.dirname, "manyhands-customer.py");
const customer = startProgram(debianPython, [program, ...process.argv.slice(2)], {
  PYTHONPATH: module,
  MANYHANDS_SERVER: server.url,
  MANYHANDS_TOKEN: server.token,
});
const { value } = JSON.parse(await customer.line()) as { value: number };
report(value);
