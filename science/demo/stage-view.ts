import cliProgress from "cli-progress";
import type { RunStage } from "../stage-settings.ts";

/** Run time of a stage. */
export interface StageTime {
  readonly name: string;
  readonly seconds: number;
}

/** Shows a progress bar for each stage on a terminal, or a line for each stage elsewhere, and measures the times. */
export function stageView(stream: NodeJS.WriteStream): { run: RunStage; times: StageTime[] } {
  const times: StageTime[] = [];
  const run: RunStage = async (name, work) => {
    const bar = stream.isTTY ? startBar(name, stream) : undefined;
    const started = performance.now();
    try {
      const result = await work((fraction) => bar?.update(fraction));
      const seconds = (performance.now() - started) / 1000;
      times.push({ name, seconds });
      bar?.update(1);
      if (!bar) stream.write(`  ${name.padEnd(nameWidth)} ${seconds.toFixed(1)} s\n`);
      return result;
    } finally {
      bar?.stop();
    }
  };
  return { run, times };
}

const nameWidth = 38;

function startBar(name: string, stream: NodeJS.WriteStream): cliProgress.SingleBar {
  const bar = new cliProgress.SingleBar(
    {
      format: `  ${name.padEnd(nameWidth)} {bar} {percentage}% {duration_formatted}`,
      hideCursor: true,
      stream,
      fps: 10,
    },
    cliProgress.Presets.shades_classic,
  );
  bar.start(1, 0);
  return bar;
}
