import { Component, type JSX } from "preact";
import { Buttons } from "./buttons.tsx";
import { describePhase, type Phase } from "./phase.ts";
import { project } from "./project.ts";
import { isRestricted, saveSettings, type AddressOptions, type Settings } from "./settings.ts";
import type * as more from "./more/more.tsx";
import { page } from "./texts/current.ts";
import type { Volunteer } from "./volunteer.ts";

/** The address of the icon inside the page, because an icon as a file would be fetched once more. */
const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]")?.href;

/** What loads after the first task. */
type More = typeof more;
/** The first task has usually begun by then. */
const moreMs = 3_000;
const retryMs = 10_000;

interface AppProps {
  readonly volunteer: Volunteer;
  readonly settings: Settings;
  readonly address: AddressOptions;
}

interface AppState {
  readonly phase: Phase;
  readonly settings: Settings;
  readonly more?: More;
  readonly settingsShown?: boolean;
}

/**
 * The volunteer page. A class component, because signals and hooks would be a tenth of the bytes before the first task, which stay
 * under 60 KB; whatever is not needed before that is in {@link More}.
 */
export class App extends Component<AppProps, AppState> {
  #ticking: ReturnType<typeof setInterval> | undefined;
  #loading = false;

  constructor(props: AppProps) {
    super(props);
    this.state = { phase: props.volunteer.phase, settings: props.settings };
  }

  override componentDidMount(): void {
    const { volunteer, address, settings } = this.props;
    volunteer.onSlots = (slots) => this.choose({ slots });
    volunteer.onPhase = (phase) => this.setState({ phase });
    // The shown seconds count down, and ended work disappears; nobody sees a hidden page.
    this.#ticking = setInterval(() => {
      if (document.visibilityState === "visible" && this.state.phase.state === "running") this.setState({});
    }, 1_000);
    if (address.kiosk || isRestricted(settings)) setTimeout(() => this.#loadMore(), moreMs / 3);
  }

  /** Whether a button has the keyboard's focus before the buttons change. */
  override getSnapshotBeforeUpdate(): boolean {
    return isAtControls();
  }

  override componentDidUpdate(_props: AppProps, _state: unknown, wasAtControls: boolean): void {
    if (wasAtControls && !isAtControls())
      document.querySelector<HTMLButtonElement>(".controls button:not(:disabled)")?.focus();
    const { phase, more } = this.state;
    if (more || (phase.state !== "running" && phase.state !== "otherTab")) return;
    if (phase.state === "otherTab" || phase.status.done > 0) this.#loadMore();
    else if (!this.#loading) setTimeout(() => this.#loadMore(), moreMs);
  }

  override componentWillUnmount(): void {
    clearInterval(this.#ticking);
  }

  /** Tries again until it is there: the server may be away. */
  #loadMore(): void {
    if (this.#loading) return;
    this.#loading = true;
    const loaded = async (): Promise<void> => {
      const more = await import("./more/more.tsx");
      await more.begin(this);
      this.setState({ more });
    };
    loaded().catch(() => setTimeout(() => ((this.#loading = false), this.#loadMore()), retryMs));
  }

  readonly choose = (changed: Partial<Settings>): void => {
    const settings = { ...this.state.settings, ...changed };
    saveSettings(settings);
    this.props.volunteer.choose(settings);
    this.setState({ settings });
  };

  readonly #toggleSettings = (): void => {
    this.#loadMore();
    this.setState({ settingsShown: !this.state.settingsShown });
  };

  override render(): JSX.Element {
    const { phase, more, settings, settingsShown = false } = this.state;
    const { volunteer, address } = this.props;
    const now = performance.now();
    const { tone, text } = more?.describe(phase, now, settings.cpu) ?? describePhase(phase, now);
    const isReady = phase.state === "ready";
    return (
      <main class="page">
        <header class="masthead">
          <img src={icon} width="28" height="28" alt="" />
          <span>{project?.title ?? "Manyhands"}</span>
        </header>
        <section class="card hero" aria-labelledby="headline">
          {project?.picture && (!address.autoStart || more) && (
            <img class="picture" src={project.picture} alt="" />
          )}
          <h1 id="headline">{headline(phase)}</h1>
          {project ? (
            <p class="lead">
              {project.text}{" "}
              {project.link && (
                <a href={project.link} target="_blank" rel="noreferrer">
                  {page.moreAbout}
                </a>
              )}
            </p>
          ) : null}
          {isReady && <p class="lead">{page.lead}</p>}
          <p class={`status ${tone}`} role="status" hidden={isReady}>
            <span class="lamp" aria-hidden="true" />
            <span>{text}</span>
          </p>
          <div class="controls">
            <div class="buttons">
              <Buttons volunteer={volunteer} phase={phase} choose={this.choose} onResume={more?.overrule} />
              <button
                type="button"
                class="button"
                aria-expanded={settingsShown}
                onClick={this.#toggleSettings}
              >
                {page.buttons.settings}
              </button>
            </div>
            {more && <more.Controls app={this} phase={phase} isOpen={settingsShown} />}
          </div>
        </section>
        {more && <more.Work app={this} phase={phase} />}
        <section class="about" aria-labelledby="about">
          <h2 id="about">{page.about}</h2>
          <p>{page.aboutWork}</p>
          <p>{page.aboutSafety}</p>
        </section>
      </main>
    );
  }
}

function isAtControls(): boolean {
  return document.activeElement?.closest(".controls") != null;
}

function headline(phase: Phase): string {
  const { headlines } = page;
  const { state } = phase;
  if (state === "stopped" || state === "ready") return headlines[state];
  if (state === "broken") return headlines.hindered;
  if (state !== "running") return headlines.working;
  const { connection, mode } = phase.status;
  return headlines[connection.state === "refused" ? "hindered" : mode === "paused" ? "paused" : "working"];
}
