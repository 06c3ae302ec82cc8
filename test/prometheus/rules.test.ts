import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { send } from "../support/jobs.ts";
import { root, startServerProcess, temporaryDirectory } from "../support/processes.ts";
import { skipped } from "../support/skipped.ts";

const rules = join("docs", "prometheus", "manyhands.rules.yml");
const read = (path: string): Promise<string> => readFile(join(root, path), "utf8");

/** Names of metrics in a text; those of Prometheus itself have no prefix of ours. */
const metricsIn = (text: string): string[] => [
  ...new Set(text.match(/\b(?:manyhands|nodejs|process)_[a-z0-9_]+/g) ?? []),
];

describe("[METRICS-1] the alerts for Prometheus", () => {
  test("are of metrics and labels that a server exports, as is the table of the documentation", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    // The event loop's lag is measured from the first scrape on.
    for (let scrape = 0; scrape < 2; scrape++) await (await send(server, "GET", "/metrics")).text();
    const exported = await (await send(server, "GET", "/metrics")).text();
    const [alerts, documentation] = [await read(rules), await read("docs/operate.md")];
    const expressions = alerts.replaceAll(/^ *#.*$/gm, "");
    expect(metricsIn(expressions).length).toBeGreaterThan(10);
    expect(metricsIn(documentation).length).toBeGreaterThan(15);
    for (const metric of metricsIn(expressions + documentation))
      expect(exported, metric).toMatch(new RegExp(`^${metric}(_count)?[{ ]`, "m"));
    for (const [, metric, label, value] of expressions.matchAll(/(manyhands_\w+)\{(\w+)="(\w+)"\}/g))
      expect(exported).toMatch(new RegExp(`^${metric}\\{[^}]*${label}="${value}"`, "m"));
    // Every metric of the server has its row.
    for (const metric of metricsIn(exported).filter((name) => name.startsWith("manyhands_")))
      expect(documentation).toContain(metric.replace(/_(?:bucket|sum|count)$/, ""));
  });

  test("have names and places in the documentation", async () => {
    const [alerts, documentation] = [await read(rules), await read("docs/operate.md")];
    const anchors = [...documentation.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, "")
        .replaceAll(" ", "-"),
    );
    const runbooks = [...alerts.matchAll(/runbook: docs\/operate\.md#(.*)/g)].map(([, anchor]) => anchor);
    const names = [...alerts.matchAll(/alert: (\w+)/g)].map(([, name]) => name!);
    expect(runbooks).toHaveLength(names.length);
    expect(anchors).toEqual(expect.arrayContaining(runbooks));
    for (const name of names) expect(documentation).toContain(name);
  });

  const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
  test.runIf(hasPromtool)(
    `are taken by Prometheus, and raised when they should be${skipped(!hasPromtool, "promtool is not installed")}`,
    () => {
      for (const [folder, ...args] of [
        ["docs/prometheus", "check", "rules", "manyhands.rules.yml"],
        ["docs/prometheus", "check", "config", "--syntax-only", "prometheus.yml"],
        ["test/prometheus", "test", "rules", "manyhands.rules.test.yml"],
      ] as const) {
        const { status, stdout, stderr } = spawnSync("promtool", args, {
          cwd: join(root, folder),
          encoding: "utf8",
        });
        expect(status, stdout + stderr).toBe(0);
      }
    },
  );
});
