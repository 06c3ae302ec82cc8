import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readClients } from "../support/jobs.ts";
import { run, startNode, startServerProcess, temporaryDirectory, until } from "../support/processes.ts";

it("[NODE-1] [NODE-2] a node gets the client from the server, computes with it and drains", async () => {
  const server = await startServerProcess(await temporaryDirectory());
  const created = run(["token", "create", "--role", "client", "--name", "nodes", "--server", server.url], {
    MANYHANDS_TOKEN: server.token,
  });
  expect(await created.ended).toBe(0);
  const program = await fetch(`${server.url}/client.mjs`).then((reply) => reply.text());
  const sha256 = createHash("sha256").update(program).digest("hex");
  expect(await fetch(`${server.url}/client.mjs.sha256`).then((reply) => reply.text())).toBe(
    `${sha256}  client.mjs\n`,
  );
  expect(created.log()).toContain(`echo '${sha256}  client.mjs' | sha256sum -c`);

  const folder = await temporaryDirectory();
  await writeFile(join(folder, "client.mjs"), program);
  const env = { PATH: process.env["PATH"], HOME: folder, MANYHANDS_TOKEN: created.output().split("\n")[0] };
  const client = startNode(["client.mjs", "--server", server.url, "--slots", "1"], { cwd: folder, env });
  onTestFinished(client.kill);
  await writeFile(join(folder, "triple.ts"), "export default (x: number): number => 3 * x;\n");
  const map = ["map", join(folder, "triple.ts"), "--range", "0:3", "--ordered", "--server", server.url];
  const mapped = run(map, { MANYHANDS_TOKEN: server.token });
  await mapped.ended;
  expect(mapped.output().match(/"output":\d+/g)).toEqual(['"output":0', '"output":3', '"output":6']);
  const [joined] = await readClients(server);
  expect(joined).toMatchObject({ connected: true, kind: "node" });
  expect(await client.terminate()).toBe(0);
  await until(async () => (await readClients(server)).every(({ connected }) => !connected));
  // No program of the sandboxes was bundled on the node.
  expect(
    readdirSync(join(folder, ".cache"), { recursive: true }).filter((name) =>
      String(name).includes("bundles"),
    ),
  ).toEqual([]);
});
