import type { JSX } from "preact";
import { webGpu } from "../../client/webgpu-state.ts";
import { formatShare } from "../../ui/format.ts";
import type { Host } from "../host.ts";
import { describePhase, type Phase, type Sentence } from "../phase.ts";
import { page } from "../texts/current.ts";
import { changedSettings } from "./changed-settings.ts";
import { HelpSoFar } from "./chart.tsx";
import { Choices, Pauses } from "./controls.tsx";
import { readRules, whyHeld, type Hold } from "./gate.ts";
import { forgetAll } from "./forget.ts";
import { noHistory, withWork, type History } from "./history.ts";
import { loadHistory, saveHistory } from "./history-store.ts";
import { OtherTabs, type TabNews } from "./other-tabs.ts";
import { Kiosk } from "./kiosk.tsx";
import { MachineWatch } from "./machine.ts";
import { Meter } from "./meter.ts";
import css from "./more.css?url";
import { statusOf, type ClientStatus } from "../../../shared/client/status.ts";
import type { SessionState } from "../../../shared/client/session/state.ts";
import type { Settings } from "../settings.ts";
import { isReloading, reloadWhenDone } from "./reload.ts";
import { loadTexts, more } from "./texts.ts";
import { Trail } from "./trail.ts";
import { Work as WorkCard } from "./work.tsx";

/** What the page does and shows beyond its first screen: loaded after the first task, or when a person asks for it (SPEC.md [PAGE-1]). */

const trail = new Trail();
const meter = new Meter();
const gateEveryMs = 5_000;
const historyEveryMs = 30_000;
/** A name is sent once the person has paused typing for this long. */
const typingMs = 1_000;

let history: History = noHistory;
let isKept = false;
/** Work that is in the history already. */
let counted = { done: 0, busyMs: 0 };
let savedAt = 0;
let hold: Hold | undefined;
let isOverruled = false;
let idleRefused = false;
let isKiosk = false;
let machine: MachineWatch;
let others: OtherTabs;
let session: Readonly<SessionState> | undefined;
/** State of the tab that computes, while that is another one. */
let elsewhere: TabNews | undefined;
let typing: ReturnType<typeof setTimeout> | undefined;

/** Prepares everything that follows the client, before anything of it is shown. */
export async function begin(app: Host): Promise<void> {
  const [, loaded] = await Promise.all([
    loadTexts(),
    loadHistory().catch(() => undefined),
    addLink("stylesheet", css),
  ]);
  // Not awaited: a browser may keep a person waiting for it.
  void addLink("manifest", "manifest.webmanifest");
  isKept = loaded !== undefined;
  history = loaded ?? noHistory;
  isKiosk = app.props.address.kiosk;
  const { volunteer } = app.props;
  volunteer.onEvent = (event, state) => {
    trail.note(event, state);
    session = state;
    others.tell();
    if (event.type === "messageReceived" && event.message.type === "heartbeat" && event.message.reload)
      void reloadWhenDone(app, () => others.reload());
  };
  others = new OtherTabs(
    () => (session && app.state.phase.state === "running" ? tell(session) : undefined),
    (news) => {
      if (app.state.phase.state === "running") return;
      elsewhere = news;
      // The tab that computes has counted more than what this one has read.
      history = news.history;
      app.forceUpdate();
    },
    () => {
      // A tab that waits for its turn has nothing to finish.
      if (app.state.phase.state === "otherTab") location.reload();
    },
  );
  machine = new MachineWatch(() => keepRules(app));
  setInterval(() => keepRules(app), gateEveryMs);
  keepRules(app);
  addEventListener("storage", (event) => {
    const changed = changedSettings(event);
    if (!changed) return;
    app.choose(changed);
    tellName(app, changed);
    keepRules(app);
    app.forceUpdate();
  });
  addEventListener("pagehide", ({ persisted }) => {
    others.tell(0);
    // A page that waits for the way back would keep its transaction open, and hold up the pages behind it.
    if (!persisted) void saveHistory(history);
  });
}

function tell(state: Readonly<SessionState>): TabNews {
  const status = statusOf(state);
  note(status);
  return {
    status,
    trail: { entries: trail.entries, verified: trail.verified },
    measured: meter.share,
    history,
  };
}

/** Joins anew under a changed name or team, once the person has paused typing (SPEC.md [VOLUNTEER-6]). */
function tellName({ props: { volunteer } }: Host, changed: Partial<Settings>): void {
  if (!("name" in changed) && !("team" in changed)) return;
  clearTimeout(typing);
  typing = setTimeout(() => volunteer.rejoin(), typingMs);
}

function addLink(rel: string, href: string): Promise<void> {
  const link = document.createElement("link");
  const loaded = new Promise<void>((resolve, reject) => {
    link.addEventListener("load", () => resolve());
    link.addEventListener("error", () => reject(new Error(`${href} could not be loaded`)));
  });
  Object.assign(link, { rel, href });
  document.head.append(link);
  return rel === "manifest" ? Promise.resolve() : loaded;
}

/** Holds or resumes the client as the person's rules say. */
function keepRules(app: Host): void {
  const { settings, phase } = app.state;
  const { mains = false, idle = false } = readRules(settings.rules);
  if (mains) void machine.watchMains();
  if (idle) void machine.watchIdle(false);
  const found = whyHeld(settings, machine.machine, new Date());
  if (!found) isOverruled = false;
  hold = found && found.why !== "paused" && isOverruled ? undefined : found;
  const isPaused = phase.state === "running" && phase.status.mode === "paused";
  if (phase.state === "running" && isPaused !== (hold !== undefined) && phase.status.mode !== "draining")
    app.props.volunteer.hold(hold !== undefined);
}

/** Called when the person pressed Resume: rules do not hold the page until they would let it compute anyway. */
export function overrule(): void {
  isOverruled = true;
  hold = undefined;
}

/** The page's sentence, with the reasons that only this code knows; undefined where the first screen's sentence says it all. */
export function describe(phase: Phase, now: number, cpu: number): Sentence | undefined {
  if (phase.state !== "running") return undefined;
  const { status, recent } = phase;
  if (status.connection.state !== "connected") return undefined;
  if (isReloading()) return quiet(more.reloading);
  if (status.mode === "paused" && hold) {
    const isBusy = status.slots.some(({ state }) => state === "running");
    return quiet(heldText(hold, new Date()) + (isBusy ? ` ${more.held.finishing}` : ""));
  }
  if (status.mode !== "running" || now - recent.at < 2_000) return undefined;
  const rests = status.slots.map((slot) => (slot.state === "idle" ? (slot.restUntil ?? 0) : 0));
  const seconds = Math.ceil((Math.max(0, ...rests) - now) / 1000);
  if (seconds > 0) return quiet(more.resting(formatShare(cpu / 100), seconds));
  if (status.queued > 0 || !status.idle || status.slots.some(({ state }) => state === "broken"))
    return undefined;
  return quiet(idleText(status.idle));
}

function idleText({
  reason,
  jobs,
  needs = "other",
}: {
  reason: string;
  jobs: number;
  needs?: string | undefined;
}): string {
  const texts = more.idle;
  switch (reason) {
    case "paused":
      return texts.paused(jobs);
    case "needs":
      if (needs === "webgpu") return texts.webgpu[webGpu.missing ?? "looking"];
      return texts.needs[needs] ?? texts.needs["other"]!;
    case "full":
    case "data":
    case "taken":
    case "answered":
    case "tried":
    case "barred":
    case "credit":
      return texts[reason];
    case "none":
      return texts.none;
    default:
      return page.noWork;
  }
}

function heldText(held: Hold, now: Date): string {
  switch (held.why) {
    case "paused":
      return held.until ? more.held.until(whenText(held.until, now)) : more.held.forGood;
    case "schedule":
      return held.until ? more.held.schedule(whenText(held.until, now)) : more.held.never;
    default:
      return more.held[held.why];
  }
}

/** "today at 18:00", "on Monday at 18:00". */
function whenText(time: Date, now: Date): string {
  const clock = new Intl.DateTimeFormat(page.language, {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  const ahead = Math.round(
    (new Date(time).setHours(0, 0, 0, 0) - new Date(now).setHours(0, 0, 0, 0)) / 86_400_000,
  );
  const day = ahead === 0 ? more.today : ahead === 1 ? more.tomorrow : more.days[(time.getDay() + 6) % 7]!;
  return more.at(day, clock.format(time));
}

function quiet(text: string): Sentence {
  return { tone: "quiet", text };
}

interface PartProps {
  readonly app: Host;
  readonly phase: Phase;
}

/** Pauses that end, and the settings. */
export function Controls({ app, phase, isOpen }: PartProps & { isOpen: boolean }): JSX.Element {
  const { settings } = app.state;
  const choose: Host["choose"] = (changed) => {
    app.choose(changed);
    tellName(app, changed);
    keepRules(app);
    app.forceUpdate();
  };
  const askIdle = async (): Promise<boolean> => {
    const tells = await machine.watchIdle(true);
    idleRefused = !tells;
    app.forceUpdate();
    return tells;
  };
  const forget = async (): Promise<void> => {
    app.props.volunteer.stop();
    await forgetAll();
    location.reload();
  };
  const mayPause =
    phase.state === "running" &&
    phase.status.mode === "running" &&
    phase.status.connection.state !== "refused";
  return (
    <>
      {mayPause && <Pauses choose={choose} />}
      {isOpen && (
        <Choices
          settings={settings}
          choose={choose}
          askIdle={askIdle}
          idleRefused={idleRefused}
          forget={() => void forget()}
        />
      )}
    </>
  );
}

/** What is being computed, and what was. */
export function Work({ app, phase }: PartProps): JSX.Element {
  if (phase.state === "running") {
    elsewhere = undefined;
    // Numbers on the page may be older than those that were counted for the other tabs.
    note(session ? statusOf(session) : phase.status);
  } else {
    session = undefined;
    counted = { done: 0, busyMs: 0 };
  }
  const { settings } = app.state;
  const sentence =
    describe(phase, performance.now(), settings.cpu) ?? describePhase(phase, performance.now());
  return (
    <>
      {isKiosk && (
        <Kiosk
          sentence={sentence.text}
          isInvited={app.props.address.invite !== undefined}
          onLeave={() => {
            isKiosk = false;
            app.forceUpdate();
          }}
        />
      )}
      {phase.state === "running" && (
        <WorkCard status={phase.status} trail={trail} measured={meter.share} cpu={settings.cpu} />
      )}
      {phase.state === "otherTab" && elsewhere && (
        <WorkCard
          status={elsewhere.status}
          trail={{ ...elsewhere.trail, shown: new Map() }}
          measured={elsewhere.measured}
          cpu={settings.cpu}
        />
      )}
      {(phase.state === "running" || history.all.tasks > 0) && (
        <HelpSoFar history={history} isKept={isKept} />
      )}
    </>
  );
}

/** Adds what the client did since the last time to meter and history. */
function note({ done, busyMs, slots }: ClientStatus): void {
  const now = performance.now();
  meter.note(now, busyMs, slots.length);
  if (done < counted.done || busyMs < counted.busyMs) counted = { done: 0, busyMs: 0 };
  const work = { tasks: done - counted.done, busyMs: busyMs - counted.busyMs };
  counted = { done, busyMs };
  if (work.tasks > 0 || work.busyMs > 0) history = withWork(history, work, new Date());
  if (now - savedAt < historyEveryMs && work.tasks === 0) return;
  savedAt = now;
  void saveHistory(history);
}
