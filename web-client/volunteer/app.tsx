import { Component, type JSX } from "preact";
import { Controls } from "./controls.tsx";
import { describePhase, type Phase } from "./phase.ts";
import { saveSettings, type Settings } from "./settings.ts";
import type { Volunteer } from "./volunteer.ts";
import { Work } from "./work.tsx";

/** The address of the icon inside the page, because an icon as a file would be fetched once more. */
const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]")?.href;

interface AppProps {
  readonly volunteer: Volunteer;
  readonly settings: Settings;
}

/**
 * The volunteer page. A class component, because signals and hooks would be a tenth of the bytes before the first task, which stay
 * under 60 KB.
 */
export class App extends Component<AppProps, { phase: Phase; settings: Settings }> {
  #ticking: ReturnType<typeof setInterval> | undefined;

  constructor(props: AppProps) {
    super(props);
    this.state = { phase: props.volunteer.phase, settings: props.settings };
  }

  override componentDidMount(): void {
    this.props.volunteer.onPhase = (phase) => this.setState({ phase });
    // The shown seconds count down, and ended work disappears; nobody sees a hidden page.
    this.#ticking = setInterval(() => {
      if (document.visibilityState === "visible" && this.state.phase.state === "running") this.setState({});
    }, 1_000);
  }

  /** Whether a button has the keyboard's focus before the buttons change. */
  override getSnapshotBeforeUpdate(): boolean {
    return isAtControls();
  }

  override componentDidUpdate(_props: AppProps, _state: unknown, wasAtControls: boolean): void {
    if (wasAtControls && !isAtControls())
      document.querySelector<HTMLButtonElement>(".controls button:not(:disabled)")?.focus();
  }

  override componentWillUnmount(): void {
    clearInterval(this.#ticking);
  }

  override render(): JSX.Element {
    const { phase, settings } = this.state;
    const { volunteer } = this.props;
    const choose = (changed: Partial<Settings>): void => {
      const chosen = { ...settings, ...changed };
      saveSettings(chosen);
      volunteer.choose(chosen);
      this.setState({ settings: chosen });
    };
    return (
      <main class="page">
        <header class="masthead">
          <img src={icon} width="28" height="28" alt="" />
          <span>Manyhands</span>
        </header>
        <section class="card hero" aria-labelledby="headline">
          <h1 id="headline">{headline(phase)}</h1>
          {phase.state === "ready" && (
            <p class="lead">
              Press the button and this computer helps scientists compute, for as long as this page stays
              open.
            </p>
          )}
          <StatusLine phase={phase} />
          <Controls volunteer={volunteer} phase={phase} settings={settings} choose={choose} />
        </section>
        {phase.state === "running" && <Work status={phase.status} />}
        <About />
      </main>
    );
  }
}

function isAtControls(): boolean {
  return document.activeElement?.closest(".controls") != null;
}

function headline(phase: Phase): string {
  if (phase.state === "stopped") return "Thank you for your help";
  return phase.state === "ready" ? "Lend this computer to science" : "This computer is lending a hand";
}

function StatusLine({ phase }: { phase: Phase }): JSX.Element {
  const { tone, text } = describePhase(phase, performance.now());
  return (
    <p class={`status ${tone}`} role="status" hidden={phase.state === "ready"}>
      <span class="lamp" aria-hidden="true" />
      <span>{text}</span>
    </p>
  );
}

function About(): JSX.Element {
  return (
    <section class="about" aria-labelledby="about">
      <h2 id="about">What happens here</h2>
      <p>
        Scientists split a long computation into many small tasks; this page fetches some, computes them in
        the background, and sends the results back, while you go on using this computer.
      </p>
      <p>
        The programs run in a sandbox of your browser: they cannot see your files, your other pages or your
        network, and closing this page ends them at once.
      </p>
    </section>
  );
}
