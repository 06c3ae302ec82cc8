import type { JSX } from "preact";
import { shownName } from "../ui/shown-name.ts";
import { AccessPage } from "./access.tsx";
import { Clients } from "./clients.tsx";
import { ConfirmDialog } from "./confirm.tsx";
import { History } from "./history.tsx";
import { Jobs } from "./jobs.tsx";
import { JobPage } from "./job-page.tsx";
import { Notice, StaleBanner } from "./notice.tsx";
import { place } from "./navigation.ts";
import { Servers } from "./servers.tsx";
import { SignIn } from "./sign-in.tsx";
import { signedIn, signOut, snapshot } from "./state.ts";
import { TaskPage } from "./task-page.tsx";
import { TaskStream } from "./stream/task-stream.tsx";
import { texts } from "./texts/current.ts";
import { Throughput } from "./throughput.tsx";
import { Tiles } from "./tiles.tsx";
import { Usage } from "./usage.tsx";
import { WhyIdle } from "./why-idle.tsx";
import { VolunteerCard } from "./volunteer-card.tsx";

/** The admin page: the sign-in, then clients, jobs and figures of the server. */
export function App(): JSX.Element {
  const role = signedIn.value?.role;
  const { frame } = texts;
  return (
    <div class="frame">
      <header class="topbar">
        <img src="favicon.svg" width="28" height="28" alt="" />
        <h1>Manyhands</h1>
        {role === "admin" && (
          <nav aria-label={frame.pages}>
            <a href="#/" aria-current={place.value.at === "access" ? undefined : "page"}>
              {frame.status}
            </a>
            <a href="#/access" aria-current={place.value.at === "access" ? "page" : undefined}>
              {frame.access}
            </a>
          </nav>
        )}
        {role && (
          <>
            <span class="muted who">{shownName(signedIn.value?.name ?? "")}</span>
            <button type="button" class="button small" onClick={() => void signOut()}>
              {frame.signOut}
            </button>
          </>
        )}
      </header>
      <Notice />
      <main>{content()}</main>
      <ConfirmDialog />
    </div>
  );
}

function content(): JSX.Element {
  if (!signedIn.value) return <p class="muted">{texts.frame.asking}</p>;
  if (signedIn.value.role !== "admin") return <SignIn />;
  const picture = snapshot.value;
  if (!picture) return <p class="muted">{texts.frame.waiting}</p>;
  const shown = place.value;
  if (shown.at !== "overview")
    return (
      <>
        <StaleBanner />
        {shown.at === "access" ? (
          <AccessPage />
        ) : shown.at === "task" ? (
          <TaskPage job={shown.job} index={shown.index} />
        ) : (
          <JobPage id={shown.job} />
        )}
      </>
    );
  return (
    <>
      <StaleBanner />
      <Tiles status={picture.status} />
      {picture.status.jobs > 0 && picture.status.tasks.running === 0 && (
        <WhyIdle path="api/why" heading={texts.overview.nothingComputed} />
      )}
      <div class="pair">
        <Throughput perSecond={picture.throughput} />
        <VolunteerCard status={picture.status} />
      </div>
      <TaskStream />
      <Servers servers={picture.status.servers ?? []} />
      <Jobs jobs={picture.jobs} count={picture.jobCount} />
      <Clients
        clients={picture.clients}
        count={picture.clientCount ?? picture.clients.length}
        jobs={picture.jobs}
      />
      <History />
      <Usage usage={picture.usage} />
    </>
  );
}
