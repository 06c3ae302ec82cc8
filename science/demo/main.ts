import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import type { Command } from "commander";
import { connect, type Hands } from "../../customer/index.ts";
import { computeOnHands } from "../compute-hands.ts";
import { loadBetaGal } from "./betagal.ts";
import { runExperiment } from "./experiment.ts";
import { Lab, type LabServer } from "./lab.ts";
import { measure } from "./measure.ts";
import { describeDemo, type DemoOptions } from "./options.ts";
import { stageView } from "./stage-view.ts";
import { summaryText, workers } from "./summary.ts";
import { writeResults } from "./write-results.ts";

/** `manyhands demo`: from a map to noisy images and back to a map. */
export function demoCommand(): Command {
  return describeDemo().action(async (options: DemoOptions) => {
    const stop = new AbortController();
    let interruptedAt = Infinity;
    const interrupt = (): void => {
      // A Ctrl-C may arrive twice at once (from the terminal and from a wrapper); a later signal is a second Ctrl-C.
      if (performance.now() - interruptedAt > 1000) process.exit(130);
      interruptedAt = Math.min(interruptedAt, performance.now());
      stop.abort(new Error("interrupted"));
    };
    process.on("SIGINT", interrupt);
    process.on("SIGTERM", interrupt);
    try {
      await runDemo(options, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
      process.stderr.write("\n  Stopped.\n");
      process.exitCode = 130;
    } finally {
      process.off("SIGINT", interrupt);
      process.off("SIGTERM", interrupt);
    }
  });
}

async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  if (options.server !== undefined) {
    const hands = await connect(options.server, { token: options.token });
    try {
      await useHands(hands, options, signal, started);
    } finally {
      hands.close();
    }
    return;
  }
  const lab = await Lab.open();
  try {
    const server = await lab.startServer(options.host, options.port);
    for (let i = 0; i < options.clients; i++) lab.startClient(server.url, options.slots);
    const hands = await connect(server.url, { token: server.token, patienceMs: 60_000 });
    invite(server, options);
    try {
      await lab.whenJoined(hands, options.clients, signal);
      await useHands(hands, options, signal, started);
      if (options.keepServing) await untilInterrupted(server, signal);
    } finally {
      hands.close();
    }
  } finally {
    await lab.close();
  }
}

function invite({ volunteerUrls, adminUrl }: LabServer, { clients }: DemoOptions): void {
  process.stderr.write(
    [
      "",
      `  Volunteers  ${volunteerUrls.join("\n              ")}`,
      "              Open it in a browser: the tab computes for this same job from then on.",
      `  Admin       ${adminUrl}`,
      `  Computing   ${clients} headless ${clients === 1 ? "client" : "clients"} on this machine`,
      "",
      "",
    ].join("\n"),
  );
}

async function useHands(
  hands: Hands,
  options: DemoOptions,
  signal: AbortSignal,
  started: number,
): Promise<void> {
  const before = await hands.clients();
  const truth = await loadBetaGal(options.box);
  const compute = computeOnHands(hands, { name: "demo", signal });
  const view = stageView(process.stderr);
  const experiment = await runExperiment(compute, truth, options, view.run);
  const measures = measure(experiment);
  const title = `β-galactosidase from ${options.particles} images at SNR ${options.snr}: ${measures.truthResolution.toFixed(1)} Å`;
  const files = await view.run("Maps and pictures", () => writeResults(options.out, experiment, title));
  const summary = {
    ...measures,
    particles: options.particles,
    tasks: compute.tasks,
    clients: workers(before, await hands.clients()),
    stages: view.times,
    seconds: (performance.now() - started) / 1000,
    directory: options.out,
    files,
  };
  process.stdout.write(options.json ? `${JSON.stringify(summary)}\n` : `\n${summaryText(summary)}\n`);
}

async function untilInterrupted({ url }: LabServer, signal: AbortSignal): Promise<void> {
  process.stderr.write(`  Still serving at ${url}; Ctrl-C ends it.\n`);
  if (!signal.aborted) await Promise.race([once(signal, "abort"), keepAlive(signal)]);
}

/** A signal alone does not keep the process alive, but a timer does. */
async function keepAlive(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await wait(60_000, undefined, { signal }).catch(() => undefined);
}
