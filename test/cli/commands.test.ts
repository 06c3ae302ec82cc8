import { userInfo } from "node:os";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JobInfo } from "../../customer/index.ts";
import { RawClient } from "../support/raw-client.ts";
import { launcher, startNode } from "../support/processes.ts";
import { LivePlatform } from "../customer/live-platform.ts";

let platform: LivePlatform;
let folder: string;
beforeAll(async () => {
  platform = await LivePlatform.start();
  folder = platform.directory;
  await writeFile(join(folder, "twice.ts"), "export default (x: number) => 2 * x;\n");
  await writeFile(
    join(folder, "fussy.ts"),
    'export default (x: number) => { if (x === 1) throw new Error("not one"); return x; };\n',
  );
});
afterAll(() => platform.close());

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end, with the server in its environment. */
async function manyhands(
  args: readonly string[],
  input?: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const command = startNode([launcher, ...args], {
    cwd: folder,
    env: { ...platform.environment, ...env },
    input,
  });
  const code = await command.ended;
  return { code, out: command.output(), err: command.log() };
}

function lines(text: string): Record<string, unknown>[] {
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("manyhands requeue, attach, audit", () => {
  it("[RETRY-1] [ATTACH-1] [AUDIT-1] retries chosen failures, attaches files, lists what was done", async () => {
    const given = ["map", "fussy.ts", "--range", "0:3", "--max-attempts", "1", "--no-fail-fast", "--quiet"];
    await manyhands([...given, "--name", "fussy", "--group", "cli"]);
    const hands = await platform.connect();
    const [{ id } = { id: "" }] = await hands.jobs({ group: "cli" });
    expect((await manyhands(["retry", id, "--message", "other"])).out).toBe("0 tasks are queued again.\n");
    expect((await manyhands(["requeue", "--group", "cli", "--message", "NOT one"])).out).toBe(
      "1 tasks are queued again.\n",
    );
    expect((await manyhands(["requeue"])).err).toContain("--group");
    await writeFile(join(folder, "shells.csv"), "shell,fsc\n1,0.9\n");
    expect((await manyhands(["attach", id, "shells.csv"])).out).toContain("text/csv");
    expect((await manyhands(["attachments", id, "--json"])).out).toContain("shells.csv");
    expect((await manyhands(["attachments", id, "--remove", "shells.csv"])).out).toBe(
      "Nothing is attached.\n",
    );
    const { out } = await manyhands(["audit", "--json"]);
    const entries = JSON.parse(out) as { action: string; subject: string }[];
    expect(entries[0]).toMatchObject({ action: "DELETE /api/jobs/{id}/attachments/{name}", subject: id });
    expect((await manyhands(["jobs", "--sort", "failed", "--json"])).code).toBe(0);
  });
});

describe("manyhands map", () => {
  it("writes a line of JSON for each result, in the order of the inputs when asked", async () => {
    const { code, out } = await manyhands(["map", "twice.ts", "--range", "0:5", "--ordered", "--quiet"]);
    expect(code).toBe(0);
    expect(lines(out).map(({ index, output }) => [index, output])).toEqual([
      [0, 0],
      [1, 2],
      [2, 4],
      [3, 6],
      [4, 8],
    ]);
  });

  it("takes inputs from standard input, an array or a file of lines", async () => {
    await writeFile(join(folder, "inputs.json"), "[1, 2]");
    await writeFile(join(folder, "inputs.ndjson"), "1\n\n2\n");
    for (const [file, input] of [["inputs.json"], ["inputs.ndjson"], ["-", "1\n2\n"]] as const) {
      const { code, out } = await manyhands(["map", "twice.ts", "--inputs", file ?? "", "--ordered"], input);
      expect({ code, outputs: lines(out).map(({ output }) => output) }).toEqual({ code: 0, outputs: [2, 4] });
    }
  });

  it("writes to a file, with plain lines of progress beside it", async () => {
    const { code, out, err } = await manyhands(["map", "twice.ts", "--range", "0:3", "--out", "out.ndjson"]);
    expect({ code, out }).toEqual({ code: 0, out: "" });
    expect(err).toMatch(/^twice\.ts: 3\/3 \(finished/m);
    expect(lines(await readFile(join(folder, "out.ndjson"), "utf8"))).toHaveLength(3);
  });

  it("ends with 1 when a task failed, and says why", async () => {
    const { code, out, err } = await manyhands(["map", "fussy.ts", "--range", "0:3", "--max-attempts", "1"]);
    expect(code).toBe(1);
    expect(lines(out)).toHaveLength(3);
    expect(err).toMatch(/1 task failed:\n {2}task 1 failed \(error, 1 attempt\): (Error: )?not one\n {4}at /);
  });

  it.each([
    ["no inputs", ["map", "twice.ts"], /either --inputs FILE, --range/],
    ["a range that is none", ["map", "twice.ts", "--range", "a:b"], /--range a:b is not understood/],
    ["a file that is not there", ["map", "twice.ts", "--inputs", "none.ndjson"], /none\.ndjson/],
    ["a line that is no JSON", ["map", "twice.ts", "--inputs", "-"], /line 2 of standard input is not JSON/],
    ["a kernel that is not there", ["map", "none.ts", "--range", "0:1"], /There is no kernel module/],
    ["an unknown option", ["map", "twice.ts", "--rnge", "0:1"], /unknown option '--rnge'/],
    ["an unknown command", ["mapp"], /unknown command 'mapp'/],
    ["a time that is none", ["map", "twice.ts", "--range", "0:1", "--timeout", "soon"], /expected a time/],
  ])("ends with 2 for %s", async (_, args, reason) => {
    const { code, err } = await manyhands(args, "1\n{oops\n");
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(reason) as string });
  });
});

describe("manyhands map --combine", () => {
  const kernel = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);
  beforeAll(async () => {
    await kernel(
      "words.ts",
      "export default (x: number) => `${x}`;\nexport const combine = (a: string, b: string) => `${a} ${b}`;\n",
    );
    await kernel(
      "unlucky.ts",
      'export default (x: number, ctx: { attempt: number }) => { if (x === 1 && ctx.attempt === 1) throw new Error("not one"); return x; };\nexport const combine = (a: number, b: number) => a + b;\n',
    );
  });

  it("[REDUCE-1] writes the one value as JSON", async () => {
    const args = ["map", "words.ts", "--combine", "--range", "0:9", "--per-task", "2", "--fan-in", "2"];
    const { code, out, err } = await manyhands(args);
    expect({ code, out }).toEqual({ code: 0, out: '"0 1 2 3 4 5 6 7 8"\n' });
    expect(err).toMatch(/^words\.ts: 5\/5 \(finished/m);
    const input = "5\n6\n";
    const toFile = await manyhands(
      ["map", "words.ts", "--combine", "--inputs", "-", "--out", "v.json"],
      input,
    );
    expect(toFile).toMatchObject({ code: 0, out: "" });
    expect(await readFile(join(folder, "v.json"), "utf8")).toBe('"5 6"\n');
  });

  it("[REDUCE-3] goes on with a key, and leaves the last job's id", async () => {
    const args = ["map", "words.ts", "--combine", "--range", "0:9", "--per-task", "2", "--key", "words"];
    const detached = await manyhands([...args, "--detach"]);
    const id = detached.out.trim();
    expect(id).toMatch(/^j_/);
    expect(await manyhands([...args, "--quiet"])).toEqual({ code: 0, out: '"0 1 2 3 4 5 6 7 8"\n', err: "" });
    const results = await manyhands(["results", id]);
    expect(lines(results.out)).toMatchObject([{ index: 0, output: "0 1 2 3 4 5 6 7 8" }]);
  });

  it("[REDUCE-2] names a failed input, and how to go on", async () => {
    const args = ["--combine", "--range", "0:6", "--per-task", "2", "--max-attempts", "1"];
    const { code, out, err } = await manyhands(["map", "unlucky.ts", ...args]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(/1 of 3 tasks failed[^]*Input 1: not one/);
    const [, failed, last] =
      /manyhands requeue (j_\w+)`; .*`manyhands results (j_\w+) --follow/.exec(err) ?? [];
    expect((await manyhands(["requeue", failed ?? ""])).code).toBe(0);
    expect(lines((await manyhands(["results", last ?? "", "--follow"])).out)).toMatchObject([{ output: 15 }]);
  });

  it("[FEED-6] takes the outputs of a job, one by one or in groups", async () => {
    const first = (await manyhands(["map", "twice.ts", "--range", "0:5", "--detach"])).out.trim();
    const combined = await manyhands(["map", "words.ts", "--combine", "--inputs-from", first, "--quiet"]);
    expect(combined).toEqual({ code: 0, out: '"0 2 4 6 8"\n', err: "" });
    const groups = ["--inputs-from", first, "--outputs-per-task", "2", "--ordered", "--quiet"];
    const { out } = await manyhands(["map", "words.ts", ...groups]);
    expect(lines(out).map(({ output }) => output)).toEqual(["0,2", "4,6", "8"]);
    const [{ id }] = JSON.parse((await manyhands(["jobs", "--limit", "1", "--json"])).out) as [JobInfo];
    expect((await manyhands(["job", id])).out).toMatch(
      new RegExp(`^inputs +outputs of ${first}, 2 in an input$`, "m"),
    );
  });

  it.each([
    ["a module without `combine`", ["twice.ts", "--combine"], /exports no `combine`/],
    ["no inputs to combine", ["words.ts", "--combine", "--range", "0:0"], /at least one input/],
    ["an order of one value", ["words.ts", "--combine", "--ordered"], /--combine makes one value/],
    ["--per-task alone", ["twice.ts", "--per-task", "3"], /belong to --combine/],
    ["--outputs-per-task alone", ["twice.ts", "--outputs-per-task", "3"], /belongs to --inputs-from/],
    ["a fan-in of one", ["words.ts", "--combine", "--fan-in", "1"], /expected a whole number from 2 to 1024/],
  ])("ends with 2 for %s", async (_, args, reason) => {
    const inputs = args.includes("--range") ? [] : ["--range", "0:3"];
    const { code, err } = await manyhands(["map", ...args, ...inputs]);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(reason) as string });
  });
});

describe("a server that is not there", () => {
  it("ends with 3, as JSON where JSON is asked for", async () => {
    const { code, err } = await manyhands(["jobs", "--json", "--server", "localhost:1023"]);
    expect(code).toBe(3);
    expect(lines(err)).toMatchObject([{ error: { code: "UNREACHABLE", retryable: true } }]);
  });
});

describe("looking at jobs and steering them", () => {
  it("goes from submission to oblivion", async () => {
    const detached = await manyhands([
      "map",
      "fussy.ts",
      "--range",
      "0:3",
      "--max-attempts",
      "1",
      "--detach",
    ]);
    const id = detached.out.trim();
    expect(id).toMatch(/^j_/);

    const waited = await manyhands(["job", id, "--wait", "--json"]);
    expect(waited.code).toBe(1);
    expect(JSON.parse(waited.out)).toMatchObject({ id, state: "finished", counts: { done: 2, failed: 1 } });

    const jobs = await manyhands(["jobs"]);
    expect(jobs.out).toMatch(new RegExp(`^${id} +fussy +${userInfo().username} +finished +2/3 +1 `, "m"));
    const shown = await manyhands(["job", id]);
    expect(shown.out).toMatch(/task 1 failed \(error, 1 attempt\): (Error: )?not one/);

    const results = await manyhands(["results", id]);
    expect({ code: results.code, lines: lines(results.out).length }).toEqual({ code: 1, lines: 3 });
    expect(lines((await manyhands(["results", id, "--after", "2"])).out)).toHaveLength(1);

    expect((await manyhands(["requeue", id])).out).toBe("1 tasks are queued again.\n");
    expect((await manyhands(["results", id, "--follow"])).code).toBe(1);
    expect((await manyhands(["delete", id])).code).toBe(0);
    const gone = await manyhands(["job", id]);
    expect(gone).toMatchObject({ code: 2, err: expect.stringContaining("manyhands jobs") as string });
  });

  it("pauses, resumes, reprioritises and cancels", async () => {
    const args = ["map", "twice.ts", "--range", "0:3", "--kind", "browser", "--detach", "--json"];
    const { id } = JSON.parse((await manyhands(args)).out) as { id: string };
    const told = async (...words: string[]): Promise<JobInfo> =>
      JSON.parse((await manyhands([...words, "--json"])).out) as JobInfo;
    expect((await told("pause", id)).paused).toBe(true);
    expect((await told("resume", id)).paused).toBe(false);
    expect((await told("priority", id, "12")).priority).toBe(12);
    expect((await told("cancel", id)).state).toBe("cancelled");
    expect((await manyhands(["results", id, "--follow"])).code).toBe(1);
  });
});

describe("math", () => {
  it("[BITS-1] is portable unless the option says native", async () => {
    const job = async (...more: string[]): Promise<JobInfo> => {
      const { out } = await manyhands([
        "map",
        "twice.ts",
        "--range",
        "0:1",
        "--kind",
        "browser",
        "--detach",
        ...more,
      ]);
      return JSON.parse((await manyhands(["job", out.trim(), "--json"])).out) as JobInfo;
    };
    expect([(await job()).math, (await job("--math", "native")).math]).toEqual(["portable", "native"]);
    expect(await manyhands(["map", "twice.ts", "--range", "0:1", "--math", "fast"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("portable, native") as string,
    });
  });
});

describe("groups and stages", () => {
  it("submits, lists and cancels them together", async () => {
    const map = (...more: string[]) =>
      manyhands([
        "map",
        "twice.ts",
        "--range",
        "0:3",
        "--group",
        "night",
        "--detach",
        "--kind",
        "browser",
        ...more,
      ]);
    const first = (await map()).out.trim();
    const second = (await map("--after", first)).out.trim();
    expect((await manyhands(["jobs"])).out).toMatch(new RegExp(`^${second} .*closed, waits for 1 `, "m"));
    expect((await manyhands(["job", second])).out).toMatch(
      new RegExp(`^group +night\nwaits for ${first}$`, "m"),
    );
    const fed = (
      await manyhands(["map", "twice.ts", "--inputs-from", first, "--group", "night", "--detach"])
    ).out.trim();
    expect((await manyhands(["job", fed])).out).toMatch(new RegExp(`^inputs +outputs of ${first}$`, "m"));
    expect(await manyhands(["map", "twice.ts", "--inputs-from", first, "--range", "0:3"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("--inputs-from") as string,
    });
    const listed = JSON.parse((await manyhands(["jobs", "--group", "night", "--json"])).out) as JobInfo[];
    expect(listed.map(({ id }) => id)).toEqual([fed, second, first]);
    expect((await manyhands(["cancel", "--group", "night"])).out).toMatch(/cancelled[^]*cancelled/);
    expect((await manyhands(["cancel", "--group", "night"])).out).toBe("No job to cancel.\n");
    expect(await manyhands(["cancel"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("--group") as string,
    });
    const late = (await map("--after", first)).out.trim();
    expect(late).toBe("");
    const [blocked] = JSON.parse((await manyhands(["jobs", "--group", "night", "--json"])).out) as JobInfo[];
    expect((await manyhands(["job", blocked?.id ?? ""])).out).toMatch(
      /every task is blocked: Job j_.* was cancelled/,
    );
  });
});

describe("data, tokens and the rest", () => {
  it("puts a file and gets it back", async () => {
    await writeFile(join(folder, "data.txt"), "light work");
    const put = await manyhands(["put", "data.txt"]);
    const { $ref } = JSON.parse(put.out) as { $ref: { sha256: string; size: number } };
    expect($ref.size).toBe(10);
    expect((await manyhands(["get", $ref.sha256])).out).toBe("light work");
  });

  it("makes, lists and revokes a token, and invites", async () => {
    const args = ["token", "create", "--role", "customer", "--name", "anna", "--expires", "1h", "--json"];
    const { id, token } = JSON.parse((await manyhands(args)).out) as { id: string; token: string };
    expect((await manyhands(["jobs", "--json"], undefined, { MANYHANDS_TOKEN: token })).out).toBe("[]\n");
    expect((await manyhands(["token", "list"])).out).toMatch(new RegExp(`^${id} +customer +anna `, "m"));
    expect((await manyhands(["token", "revoke", id])).code).toBe(0);
    expect((await manyhands(["jobs"], undefined, { MANYHANDS_TOKEN: token })).code).toBe(2);
    expect((await manyhands(["invite"])).out).toMatch(/^http:\/\/.*\?invite=mh_v_/);
    expect((await manyhands(["invite", "--trusted"])).out).toMatch(/^http:\/\/.*\?invite=mh_n_/);
  });

  it("[QUOTA-7] [TOKEN-2] changes what a customer may keep and how many clients a token lets in", async () => {
    const make = ["token", "create", "--role", "client", "--name", "bert", "--json"];
    const { id } = JSON.parse((await manyhands(make)).out) as { id: string };
    expect((await manyhands(["token", "limit", id, "5"])).out).toBe(`${id} is for at most 5 clients.\n`);
    expect((await manyhands(["token", "list"])).out).toMatch(
      new RegExp(`^${id} +client +bert .* 5 +never`, "m"),
    );
    expect((await manyhands(["token", "limit", id, "any"])).out).toContain("any number of clients");
    expect((await manyhands(["token", "limit", id, "none"])).err).toMatch(/whole number/);
    expect((await manyhands(["quota", "bert", "--gb", "3", "--jobs", "8"])).out).toMatch(
      /^bert \* +0 B of 3\.?0* GiB .* 0 of 8 /m,
    );
    // Bounds that are not given stay.
    expect((await manyhands(["quota", "bert", "--open-tasks", "9"])).out).toMatch(
      /3\.?0* GiB .* 0 of 8 +0 of 9/,
    );
    expect((await manyhands(["quota", "bert", "--as-everybody"])).out).toMatch(/^bert +0 B/m);
    expect((await manyhands(["quota", "nobody"])).err).toMatch(/keeps nothing/);
    expect((await manyhands(["quota", "nobody", "--jobs", "1"])).err).toMatch(/No token is called "nobody"/);
  });

  it("shows the server and its clients", async () => {
    expect((await manyhands(["capacity"])).out).toMatch(
      /^all +1 +2 +\d[^]*^tasks: .* now; expected \d.*every slot busy$/m,
    );
    expect((await manyhands(["status"])).out).toMatch(/^clients +0 browsers, 1 nodes; \d of 2 slots busy$/m);
    expect(JSON.parse((await manyhands(["clients", "--json"])).out)).toMatchObject([
      { kind: "node", slots: 2 },
    ]);
  });
});

describe("manyhands bans", () => {
  it("shows banned clients, and lifts a ban", async () => {
    const client = await new RawClient(platform.url).join();
    await manyhands(["clients", "--ban", client.id, "--reason", "too loud"]);
    expect((await manyhands(["bans"])).out).toMatch(new RegExp(`${client.id} .*too loud`));
    expect((await manyhands(["bans", "--lift", client.id])).out.trim()).toBe("No bans.");
    await new RawClient(platform.url, { as: client.identity }).join();
    const again = await manyhands(["bans", "--lift", client.id]);
    expect(again.code).not.toBe(0);
    expect(again.err).toContain(`There is no ban on ${client.id}.`);
  });
});

describe("manyhands run", () => {
  it("runs a program anywhere, with SDK, server and arguments, and keeps its exit status", async () => {
    const program = `import { connect } from "manyhands";
      await using hands = await connect();
      console.log((await hands.map((x) => x + 1, process.argv.slice(2).map(Number))).join(" "));
      process.exitCode = 7;`;
    await writeFile(join(folder, "program.ts"), program);
    const { code, out } = await manyhands(["run", "program.ts", "1", "2", "--help"]);
    expect({ code, out }).toEqual({ code: 7, out: "2 3 NaN\n" });
  });

  it("gives any other program the same environment", async () => {
    const { code, out } = await manyhands(["run", "printenv", "MANYHANDS_SERVER"]);
    expect({ code, out }).toEqual({ code: 0, out: `${platform.url}\n` });
  });
});

describe("stored data of a customer", () => {
  it("[QUOTA-1] [DATA-3] is shown, and deleted when no job refers to it", async () => {
    const source = "export default () => 'of no job'";
    const hands = await platform.connect();
    const { sha256 } = await hands.api.putKernel(source);
    expect((await manyhands(["kernels"])).out).toContain(sha256);
    const usage = await manyhands(["usage"]);
    expect(usage.out).toMatch(/CUSTOMER +STORED[\s\S]* of 32.0 GiB/);
    expect(lines((await manyhands(["kernels", "--delete", sha256, "--json"])).out).flat()).not.toContainEqual(
      expect.objectContaining({ sha256 }),
    );
    expect(await manyhands(["kernels", "--delete", sha256])).toMatchObject({
      code: 2,
      err: expect.stringContaining("There is no kernel"),
    });
    const job = hands.map((x: number) => x, [1]);
    await job;
    const used = (await job.status()).kernel.sha256;
    expect((await manyhands(["kernels", "--delete", used])).err).toContain(await job.id);
    const { sha256: blob } = await hands.put(new TextEncoder().encode("of no task"));
    expect((await manyhands(["forget", blob])).out).toBe("1 forgotten.\n");
    expect((await manyhands(["forget", blob])).err).toContain("There is no blob");
  });
});
