import type { ServerOptions } from "../../server/options.ts";
import type { RunningServer } from "../../server/server.ts";
import type { FailureGroups } from "../../shared/wire/rest/failures.ts";
import type { Tab, TestBrowser } from "../../test/support/browsers/browser.ts";
import {
  api,
  attach,
  failedTasks,
  failing,
  goTo,
  longName,
  press,
  rightToLeft,
  signedIn,
  submit,
  unfold,
  until,
  untilText,
  volunteering,
} from "./lab.ts";

/** Where the pictures of a browser go. */
export interface Camera {
  readonly browser: TestBrowser;
  readonly take: (tab: Tab, state: string) => Promise<void>;
}

/** States of the pages: what their server is told first, and how a browser gets there. */
export interface Scene {
  readonly options?: Partial<ServerOptions>;
  readonly language?: string;
  prepare?(server: RunningServer): Promise<unknown>;
  show(server: RunningServer, camera: Camera): Promise<void>;
}

/** The pictures of the documentation. */
export const documented: Scene = {
  async show(server, { browser, take }) {
    const volunteer = await browser.newTab();
    await volunteer.open(server.url);
    await take(volunteer, "volunteer-start");
    await submit(server, "estimate defocus", 12);
    await submit(server, "projection matching, round 3", 400);
    await submit(server, "class averages", 64);
    await volunteer.open(`${server.url}/?auto=1`);
    const admin = await signedIn(server, browser);
    // By then the pages show failures, a curve, and a job whose results were audited.
    await until(async () => {
      const { tasks } = await api<{ tasks: { done: number; failed: number } }>(server, "GET", "/api/status");
      return tasks.done >= 10 && tasks.failed > 0;
    });
    await untilText(volunteer, "Computing for");
    await take(volunteer, "volunteer-computing");
    await take(admin, "admin");
  },
};

/** Every state, by name. */
export const scenes: Readonly<Record<string, Scene>> = {
  empty: {
    async show(server, { browser, take }) {
      const volunteer = await browser.newTab();
      await volunteer.open(server.url);
      await take(volunteer, "volunteer-ready");
      await press(volunteer, "Start computing");
      await untilText(volunteer, "No work right now");
      await take(volunteer, "volunteer-no-work");
      await press(volunteer, "Finish and stop");
      await untilText(volunteer, "Stopped");
      await take(volunteer, "volunteer-stopped");
      const admin = await browser.newTab();
      await admin.open(server.adminUrl);
      await untilText(admin, "Sign in");
      await take(admin, "admin-sign-in");
      const overview = await signedIn(server, browser);
      await take(overview, "admin-empty");
      await goTo(overview, "#/access", "#audit");
      await take(overview, "access-empty");
    },
  },
  busy: {
    prepare: threeJobs,
    async show(server, { browser, take }) {
      const volunteer = await volunteering(server, browser);
      const admin = await signedIn(server, browser);
      await untilText(volunteer, "delivered");
      await untilText(volunteer, "Computing for");
      await take(admin, "admin-busy");
      await take(volunteer, "volunteer-computing");
      await press(volunteer, "Settings");
      await take(volunteer, "volunteer-settings");
      const second = await browser.newTab();
      await second.open(`${server.url}/?auto=1`);
      await untilText(second, "nother tab");
      await take(second, "volunteer-other-tab");
      await second.close();
      await press(volunteer, "Pause");
      await untilText(volunteer, "Paused until");
      await take(volunteer, "volunteer-paused");
    },
  },
  kiosk: {
    prepare: threeJobs,
    async show(server, { browser, take }) {
      const display = await browser.newTab();
      await display.open(`${server.url}/?auto=1&kiosk=1&slots=all&name=room-12-pc-3`);
      await until(() => display.evaluate("document.querySelector('.kiosk svg.qr') !== null"));
      await take(display, "volunteer-kiosk");
    },
  },
  german: {
    language: "de",
    prepare: threeJobs,
    async show(server, { browser, take }) {
      const volunteer = await browser.newTab();
      await volunteer.open(server.url);
      await take(volunteer, "german-volunteer-ready");
      await volunteer.open(`${server.url}/?auto=1`);
      await untilText(volunteer, "Rechnet für");
      const admin = await signedIn(server, browser);
      await take(volunteer, "german-volunteer-computing");
      await take(admin, "german-admin");
    },
  },
  failing: {
    prepare: (server) => submit(server, "pick particles", 40, { kernel: { source: failing } }),
    async show(server, { browser, take }) {
      const volunteer = await volunteering(server, browser);
      const admin = await signedIn(server, browser);
      await untilText(admin, "failed");
      await unfold(admin);
      await take(admin, "admin-failing");
      await take(volunteer, "volunteer-failing");
    },
  },
  job: {
    options: { publicStatus: true, volunteers: "invite", publicUrl: "https://hands.example.org" },
    async show(server, { browser, take }) {
      const job = await submit(server, "projection matching", 60, { group: "night run", public: true });
      await attach(server, job);
      const { inviteUrl } = await api<{ inviteUrl: string }>(server, "POST", "/api/tokens", {
        role: "client",
        name: longName,
        maxClients: 3,
      });
      const volunteer = await browser.newTab();
      await volunteer.open(`${server.url}/${new URL(inviteUrl).search}&auto=1`);
      const admin = await signedIn(server, browser);
      await until(async () => (await failedTasks(server, job)) > 1);
      await goTo(admin, `#/jobs/${job}`, ".attachment img");
      await unfold(admin);
      await take(admin, "job");
      const { groups } = await api<FailureGroups>(server, "GET", `/api/jobs/${job}/failures`);
      await goTo(admin, `#/jobs/${job}/tasks/${groups[0]!.indexes[0]}`, "#runs");
      await take(admin, "task-failed");
      await goTo(admin, "#/access", "#audit");
      await admin.type("input[name=name]", "open day");
      await admin.evaluate("document.querySelector('.new-token').requestSubmit()");
      await until(() => admin.evaluate("document.querySelector('.secret .qr') !== null"));
      await take(admin, "access");
      const visitor = await browser.newTab();
      await visitor.open(`${server.url}/status`);
      await untilText(visitor, "projection matching");
      await take(visitor, "public");
    },
  },
  "200-jobs": {
    async prepare(server) {
      for (let count = 1; count <= 200; count++)
        await submit(
          server,
          count % 3 ? `refine class ${count}` : `${longName.slice(0, 110)} ${count}`,
          count,
          {
            requires: { trusted: true },
          },
        );
    },
    async show(server, { browser, take }) {
      const admin = await signedIn(server, browser);
      await take(admin, "admin-200-jobs");
      await goTo(admin, "#/?state=all&sort=name", ".jobs tbody tr:nth-child(100)");
      await take(admin, "admin-200-jobs-by-name");
    },
  },
  names: {
    async prepare(server) {
      const { token } = await api<{ token: string }>(server, "POST", "/api/tokens", {
        role: "customer",
        name: `${rightToLeft} ${longName}`.slice(0, 120),
      });
      await submit(server, longName, 400, { group: longName }, token);
      await submit(server, rightToLeft, 400, { group: rightToLeft }, token);
    },
    async show(server, { browser, take }) {
      const volunteer = await volunteering(server, browser);
      await untilText(volunteer, "Computing for");
      await take(volunteer, "volunteer-names");
      await take(await signedIn(server, browser), "admin-names");
    },
  },
  refused: {
    options: { volunteers: "invite" },
    async show(server, { browser, take }) {
      const volunteer = await volunteering(server, browser);
      await untilText(volunteer, "invitation");
      await take(volunteer, "volunteer-refused");
    },
  },
};

async function threeJobs(server: RunningServer): Promise<void> {
  await submit(server, "estimate defocus", 400);
  await submit(server, "projection matching, round 3", 4000);
  await submit(server, "class averages", 640);
}
