import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { formatCount, plural } from "../../ui/format.ts";
import { shownName } from "../../ui/shown-name.ts";
import { snapshot } from "../state.ts";
import type { StreamJob } from "./bars.ts";
import { describeBar } from "./describe-bar.ts";
import { StreamCanvas, type Hovered } from "./stream-canvas.ts";
import { jobColours } from "./colours.ts";
import { follow } from "./follow.ts";

const jobsNamed = 8;
/** Room that a lane is given while there is enough; the canvas grows with the lanes up to its bound. */
const [lanePixels, axisPixels] = [22, 24];

interface Facts {
  readonly attempts: number;
  readonly lanes: number;
  readonly jobs: readonly StreamJob[];
}

/** Every attempt of this server: a lane a client's slot, a bar an attempt. */
export function TaskStream(): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const stream = useRef<StreamCanvas | undefined>(undefined);
  const hovered = useSignal<Hovered | undefined>(undefined);
  const follows = useSignal(true);
  const facts = useSignal<Facts>({ attempts: 0, lanes: 0, jobs: [] });
  useEffect(() => {
    const element = canvas.current;
    if (!element) return undefined;
    const made = new StreamCanvas(element, {
      onHover: (bar) => (hovered.value = bar),
      onFollows: (does) => (follows.value = does),
    });
    stream.current = made;
    const end = follow(element, made, () => {
      const { size, lanes, seenJobs } = made.bars;
      facts.value = { attempts: size, lanes: lanes.length, jobs: seenJobs.slice(-jobsNamed) };
    });
    return () => {
      end();
      made.close();
    };
  }, []);
  const { attempts, lanes, jobs } = facts.value;
  const several = (snapshot.value?.status.servers?.length ?? 0) > 1;
  return (
    <section class="card panel stream" aria-labelledby="stream">
      <div class="panel-head">
        <h2 id="stream">Task stream</h2>
        <div class="action-list">
          <button type="button" class="button small" onClick={() => stream.current?.zoomBy(0.5)}>
            Zoom in
          </button>
          <button type="button" class="button small" onClick={() => stream.current?.zoomBy(2)}>
            Zoom out
          </button>
          <button
            type="button"
            class="button small"
            disabled={follows.value}
            onClick={() => stream.current?.toNow()}
          >
            Now
          </button>
        </div>
      </div>
      <p class="muted hint">
        {plural(attempts, "attempt")} in {plural(lanes, "slot")}
        {several && " of this server"}. Click into it, then: wheel or + − to zoom, drag or arrows to move, [ ]
        from attempt to attempt.
      </p>
      <div class="stream-area">
        <canvas
          ref={canvas}
          style={{ height: `clamp(8rem, ${lanes * lanePixels + axisPixels}px, 30rem)` }}
          tabIndex={0}
          role="img"
          aria-label={`Attempts by time, a lane a slot: ${formatCount(attempts)} attempts in ${formatCount(lanes)} slots. Arrow keys move, plus and minus zoom, Home and End go to the oldest and the newest, brackets go from attempt to attempt.`}
        />
        {hovered.value && <Tip hovered={hovered.value} />}
      </div>
      <p class="visually-hidden" aria-live="polite">
        {hovered.value?.byKey === true && describeBar(hovered.value.bar, Date.now()).join(". ")}
      </p>
      <ul class="legend">
        {jobs.map(({ id, name, order }) => (
          <li key={id}>
            <span class="swatch" style={{ background: jobColours[order % jobColours.length] }} />
            <span class="legend-name">{shownName(name)}</span>
          </li>
        ))}
        <li>
          <span class="swatch failed" /> failed
        </li>
        <li>
          <span class="swatch failed striped" /> lost
        </li>
        <li>
          <span class="swatch quiet striped" /> cancelled, handed back
        </li>
        <li>
          <span class="swatch check striped" /> verifies another result
        </li>
      </ul>
    </section>
  );
}

function Tip({ hovered: { bar, x, y, flip, now } }: { hovered: Hovered }): JSX.Element {
  return (
    <div class={`tip ${flip ? "flipped" : ""}`} style={{ left: `${x}px`, top: `${y}px` }}>
      {describeBar(bar, now).map((line, at) => (
        <span key={at} class={at === 0 ? "strong" : ""}>
          {line}
        </span>
      ))}
    </div>
  );
}
