import { commonCode } from "virtual:common-code";
import { PlatformError } from "../../shared/errors.ts";
import type { FromFrame, Greeting, ToFrame } from "../sandbox/frame-messages.ts";

/** The sandbox page is small, so a slow network still delivers it in this time. */
const loadMs = 30_000;
/** A loaded frame that sends nothing for this long is an error page: the sandbox page's script sends at once. */
const readyMs = 5_000;
const pingMs = 2_000;
/** The frame's own thread never runs a kernel, so silence for this many pings in a row means that its process is gone. */
const missedPings = 5;

/**
 * The hidden iframe that holds the workers. Chromium gives a sandboxed frame a process of its own, which a worker that runs out of memory
 * takes down. Neither the frame element nor a MessagePort shows that, so the page pings the frame.
 */
export class SandboxFrame {
  readonly #element: HTMLIFrameElement;
  readonly #control: MessagePort;
  readonly #died = new Map<number, (reason: string) => void>();
  #nextId = 1;
  #pings = 0;
  #pongs = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  /** @throws PlatformError UNREACHABLE when the sandbox page does not come up */
  static async open(url: string): Promise<SandboxFrame> {
    const element = hiddenFrame(url);
    try {
      await loaded(element);
      const control = await greeted(element);
      return new SandboxFrame(element, control);
    } catch (error) {
      element.remove();
      throw error;
    }
  }

  private constructor(element: HTMLIFrameElement, control: MessagePort) {
    this.#element = element;
    this.#control = control;
    control.addEventListener("message", ({ data }: MessageEvent<FromFrame>) => {
      if (data.type === "pong") this.#pongs = data.count;
      else if (data.type === "died") this.#died.get(data.id)?.(data.reason);
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Starts a worker that gets `port`; `died` is called at most once, when it ends without `terminate`. */
  spawn(
    port: MessagePort,
    options: { readonly memoryMb: number; readonly webgpu?: string | undefined },
    died: (reason: string) => void,
  ): { terminate: () => void } {
    const id = this.#nextId++;
    const forget = (): void => {
      this.#died.delete(id);
      if (this.#died.size === 0) this.#stopPinging();
    };
    this.#died.set(id, (reason) => {
      forget();
      this.#tell({ type: "terminate", id });
      died(reason);
    });
    this.#startPinging();
    this.#tell({ type: "spawn", id, ...options }, [port]);
    return {
      terminate: () => {
        forget();
        this.#tell({ type: "terminate", id });
      },
    };
  }

  /** Removes the frame: every worker in it ends. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopPinging();
    this.#element.remove();
    this.#died.forEach((died) => died(reason));
    this.#control.close();
  }

  #tell(message: ToFrame, transfer: Transferable[] = []): void {
    this.#control.postMessage(message, transfer);
  }

  #startPinging(): void {
    if (this.#timer !== undefined) return;
    this.#pings = this.#pongs = 0;
    this.#timer = setInterval(() => {
      if (this.#pings - this.#pongs >= missedPings)
        this.close("The browser ended the sandbox, probably for want of memory.");
      else this.#tell({ type: "ping", count: ++this.#pings });
    }, pingMs);
  }

  #stopPinging(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function hiddenFrame(url: string): HTMLIFrameElement {
  const element = document.createElement("iframe");
  element.setAttribute("sandbox", "allow-scripts");
  element.setAttribute("aria-hidden", "true");
  element.tabIndex = -1;
  element.title = "Sandbox";
  // Browsers lower the priority of a frame's process for display:none.
  element.style.cssText =
    "position:fixed;width:1px;height:1px;inset:0;border:0;opacity:0;pointer-events:none";
  element.src = url;
  return element;
}

function loaded(element: HTMLIFrameElement): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(unreachable("did not load")), loadMs);
    element.addEventListener("load", () => {
      clearTimeout(timer);
      resolve();
    });
    document.body.append(element);
  });
}

function greeted(element: HTMLIFrameElement): Promise<MessagePort> {
  return new Promise((resolve, reject) => {
    const { port1, port2 } = new MessageChannel();
    const timer = setTimeout(() => reject(unreachable("did not start")), readyMs);
    const ready = (): void => {
      clearTimeout(timer);
      resolve(port1);
    };
    port1.addEventListener("message", ready, { once: true });
    port1.start();
    const greeting: Greeting = { commonCode };
    // Only "*" matches the frame's opaque origin. The common code is no secret, and the port is of use to this frame alone.
    element.contentWindow?.postMessage(greeting, "*", [port2]);
  });
}

function unreachable(what: string): PlatformError {
  return new PlatformError(
    "UNREACHABLE",
    `The sandbox page ${what}; expected the server to deliver sandbox.html.`,
  );
}
