import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { formatCount } from "../../ui/format.ts";
import { shownName } from "../../ui/shown-name.ts";
import { snapshot } from "../state.ts";
import { texts } from "../texts/current.ts";
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
  const { stream: text, counts } = texts;
  const several = (snapshot.value?.status.servers?.length ?? 0) > 1;
  return (
    <section class="card panel stream" aria-labelledby="stream">
      <div class="panel-head">
        <h2 id="stream">{text.title}</h2>
        <div class="action-list">
          <button type="button" class="button small" onClick={() => stream.current?.zoomBy(0.5)}>
            {text.zoomIn}
          </button>
          <button type="button" class="button small" onClick={() => stream.current?.zoomBy(2)}>
            {text.zoomOut}
          </button>
          <button
            type="button"
            class="button small"
            disabled={follows.value}
            onClick={() => stream.current?.toNow()}
          >
            {text.now}
          </button>
        </div>
      </div>
      <p class="muted hint">
        {(several ? text.factsOfServer : text.facts)(counts.attempts(attempts), counts.slots(lanes))}.{" "}
        {text.how}
      </p>
      <div class="stream-area">
        <canvas
          ref={canvas}
          style={{ height: `clamp(8rem, ${lanes * lanePixels + axisPixels}px, 30rem)` }}
          tabIndex={0}
          role="img"
          aria-label={text.chart(formatCount(attempts), formatCount(lanes))}
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
          <span class="swatch failed" /> {text.failed}
        </li>
        <li>
          <span class="swatch failed striped" /> {text.lost}
        </li>
        <li>
          <span class="swatch quiet striped" /> {text.cancelled}
        </li>
        <li>
          <span class="swatch check striped" /> {text.verifies}
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
