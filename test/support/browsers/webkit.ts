import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../bench/harness/services/ports.ts";
import type { LaunchOptions, Tab, TestBrowser } from "./browser.ts";
import { programs } from "./engines.ts";
import { startLabProxy } from "./lab-proxy.ts";
import { WebDriverSession } from "./web-driver.ts";

/** Name of the key under which WebDriver passes elements. */
const elementKey = "element-6066-11e4-a52e-4f735466cecf";

/** A driver on a busy machine answers one in about twenty requests for a session never; others take 1 to 5 s. */
const startMs = 15_000;
/** A driver that starts answers within a second, or later on a busy machine. */
const answerMs = 30_000;

/** WebKitGTK's own small browser, on a display in memory, by WebDriver. */
export async function launchWebKit(options: LaunchOptions): Promise<TestBrowser> {
  for (let tries = 1; ; tries++)
    try {
      return await launchOnce(options);
    } catch (error) {
      if (tries === 5) throw error;
    }
}

/** The browser's own buttons would keep the window wider than a phone. */
const smallControls = "* { min-width: 0; padding: 0; margin: 0; border: 0; font-size: 1px; }";

async function launchOnce(options: LaunchOptions): Promise<TestBrowser> {
  const home = await mkdtemp(join(tmpdir(), "manyhands-webkit-"));
  await mkdir(join(home, ".config", "gtk-3.0"), { recursive: true });
  await writeFile(join(home, ".config", "gtk-3.0", "gtk.css"), smallControls);
  const proxy = await startLabProxy();
  const display = await startDisplay();
  const driver = await startDriver(home, display.name);
  const close = async (): Promise<void> => {
    await driver.end();
    await display.end();
    proxy.close();
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const wanted = {
      proxy: {
        proxyType: "manual",
        httpProxy: `127.0.0.1:${proxy.port}`,
        noProxy: ["localhost", "127.0.0.1"],
      },
      "webkitgtk:browserOptions": {
        binary: programs.miniBrowser,
        args: ["--automation", ...(options.dark ? ["--dark-mode"] : [])],
      },
    };
    const session = await WebDriverSession.start(driver.url, wanted, startMs);
    const first = await session.get<string>("/window");
    await session.post("/timeouts", { script: 50_000, pageLoad: 50_000, implicit: 30_000 });
    return {
      version: `webkitgtk/${String(session.capabilities["browserVersion"])}`,
      newTab: () => newTab(session, first),
      async close() {
        await session.delete().catch(() => undefined);
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @param first - the first window, which stays empty: the session would end with the last */
async function newTab(session: WebDriverSession, first: string): Promise<Tab> {
  const { handle } = await session.together(async () => {
    await session.post("/window", { handle: first });
    return session.post<{ handle: string }>("/window/new");
  });
  let open = true;
  const here = <T>(commands: () => Promise<T>): Promise<T> =>
    session.together(async () => {
      await session.post("/window", { handle });
      return commands();
    });
  const find = async (selector: string): Promise<string> => {
    const using = selector.startsWith("//") ? "xpath" : "css selector";
    const found = await session.post<Record<string, string>>("/element", { using, value: selector });
    return `/element/${found[elementKey]}`;
  };
  const evaluate = async <T>(expression: string): Promise<T> => {
    const script = `const done = arguments[arguments.length - 1];
      (async () => ${expression})().then((value) => done({ value }), (error) => done({ error: String(error) }));`;
    const { value, error } = await session.post<{ value: T; error?: string }>("/execute/async", {
      script,
      args: [],
    });
    if (error !== undefined) throw new Error(error);
    return value;
  };
  return {
    open: (url) => here(() => session.post("/url", { url })),
    evaluate: (expression) => here(() => evaluate(expression)),
    click: (selector) => here(async () => session.post(`${await find(selector)}/click`)),
    type: (selector, text) => here(async () => session.post(`${await find(selector)}/value`, { text })),
    text: () => here(() => evaluate("document.body.innerText")),
    // Each tab is a window.
    show: async () => undefined,
    resize: (width, height) =>
      here(async () => {
        // The window is larger than the page in it.
        const window = await session.get<{ width: number; height: number }>("/window/rect");
        const [pageWidth, pageHeight] = await evaluate<[number, number]>("[innerWidth, innerHeight]");
        await session.post("/window/rect", {
          x: 0,
          y: 0,
          width: width + window.width - pageWidth,
          height: height + window.height - pageHeight,
        });
      }),
    screenshot: (path) =>
      here(async () => writeFile(path, Buffer.from(await session.get<string>("/screenshot"), "base64"))),
    async close() {
      if (open) await here(() => session.delete("/window"));
      open = false;
    },
  };
}

/** A process and its children, ended by the number of its group. */
interface Group {
  end(): Promise<void>;
}

function groupOf(process_: ChildProcess): Group {
  const kill = (): void => {
    try {
      process.kill(-process_.pid!, "SIGTERM");
    } catch {
      // The group has ended.
    }
  };
  process.once("exit", kill);
  return {
    async end() {
      process.off("exit", kill);
      if (process_.exitCode !== null || process_.signalCode !== null) return;
      kill();
      await once(process_, "exit");
    },
  };
}

/** A command that the system ends when this process dies, however that happens (Debian: util-linux). */
function endingWithUs(command: string, args: readonly string[]): [string, string[]] {
  return ["/usr/bin/setpriv", ["--pdeathsig", "TERM", command, ...args]];
}

/** An X server without a screen, on the first free number. */
async function startDisplay(): Promise<Group & { name: string }> {
  const args = ["-displayfd", "3", "-screen", "0", "2000x1300x24", "-nolisten", "tcp"];
  const server = spawn(...endingWithUs(programs.display!, args), {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
    detached: true,
  });
  const group = groupOf(server);
  const [number] = (await Promise.race([
    once(server.stdio[3]!, "data"),
    once(server, "exit").then(() => Promise.reject(new Error("Xvfb did not start."))),
  ])) as [Buffer];
  return { ...group, name: `:${number.toString().trim()}` };
}

async function startDriver(home: string, display: string): Promise<Group & { url: string }> {
  const port = await freePort();
  const driver = spawn(...endingWithUs(programs.webKitDriver!, [`--port=${port}`]), {
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      DISPLAY: display,
      // Neither graphics hardware nor services of a desktop are needed.
      LIBGL_ALWAYS_SOFTWARE: "1",
      NO_AT_BRIDGE: "1",
      GTK_A11Y: "none",
      // WebKit's sandbox takes rights that containers do not give.
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
    },
    stdio: "ignore",
    detached: true,
  });
  const group = groupOf(driver);
  const url = `http://127.0.0.1:${port}`;
  const end = Date.now() + answerMs;
  while (Date.now() < end) {
    const status = await fetch(`${url}/status`).catch(() => undefined);
    if (status?.ok) return { ...group, url };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await group.end();
  throw new Error("WebKitWebDriver did not answer within 30 s.");
}
