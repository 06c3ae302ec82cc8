import { Component, type JSX } from "preact";
import { formatCount } from "../../ui/format.ts";
import { QrCode } from "../../ui/qr-code.tsx";
import { project } from "../project.ts";
import { more } from "./texts.ts";

/** What the server tells of the whole project (`/project/progress`). */
interface Progress {
  readonly clients: number;
  readonly done: number;
  readonly open: number;
  /** Whether anybody may join without an invitation. */
  readonly joins: boolean;
}

const everyMs = 10_000;

interface KioskProps {
  /** The page's one sentence. */
  readonly sentence: string;
  readonly isInvited: boolean;
  readonly onLeave: () => void;
}

/** A display for a room: the progress of the whole project, and how to join it. */
export class Kiosk extends Component<KioskProps, { progress?: Progress }> {
  #asking: ReturnType<typeof setInterval> | undefined;

  override componentDidMount(): void {
    if (!project) return;
    void this.#ask();
    this.#asking = setInterval(() => void this.#ask(), everyMs);
  }

  override componentWillUnmount(): void {
    clearInterval(this.#asking);
  }

  async #ask(): Promise<void> {
    const answer: unknown = await fetch("project/progress")
      .then((reply) => (reply.ok ? reply.json() : undefined))
      .catch(() => undefined);
    if (answer) this.setState({ progress: answer as Progress });
  }

  override render(): JSX.Element {
    const { sentence, isInvited, onLeave } = this.props;
    const { progress } = this.state;
    // The code has no invitation: everybody in the room could take it along.
    const joins = progress?.joins ?? !isInvited;
    const address = new URL(".", location.href).href;
    return (
      <section class="kiosk" aria-labelledby="kiosk">
        <p>{more.kiosk.title}</p>
        <h2 id="kiosk">{project?.title ?? "Manyhands"}</h2>
        {project ? <p class="kiosk-text">{project.text}</p> : <p>{more.kiosk.noProject}</p>}
        {progress && <Figures {...progress} />}
        <p class="muted">{sentence}</p>
        {joins && (
          <div class="join">
            <QrCode text={address} label={more.kiosk.code(address)} />
            <p>
              {more.kiosk.join}
              <br />
              <b>{address}</b>
            </p>
          </div>
        )}
        <button type="button" class="button" onClick={onLeave}>
          {more.kiosk.leave}
        </button>
      </section>
    );
  }
}

function Figures({ clients, done, open }: Progress): JSX.Element {
  const all = done + open;
  const share = all > 0 ? done / all : 0;
  return (
    <>
      <div
        class="bar"
        role="progressbar"
        aria-label={more.kiosk.done}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.floor(share * 100)}
      >
        <div class="fill" style={{ width: `${share * 100}%` }} />
      </div>
      <dl class="figures">
        {(
          [
            [more.kiosk.done, done],
            [more.kiosk.open, open],
            [more.kiosk.clients, clients],
          ] as const
        ).map(([label, count]) => (
          <div key={label}>
            <dd>{formatCount(count)}</dd>
            <dt>{label}</dt>
          </div>
        ))}
      </dl>
    </>
  );
}
