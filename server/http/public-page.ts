import type { PublicStatus } from "../../shared/wire/rest/public-status.ts";

/** The page asks for itself anew this often. */
const refreshSeconds = 10;

const counting = new Intl.NumberFormat("en");
const precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export const publicStyle = `
:root { color-scheme: light dark; font: 17px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem; }
h1 { font-size: 1.6rem; margin: 0 0 1.25rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: 1rem; margin: 0 0 2rem; }
dl div { border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: 0.6rem; padding: 0.8rem 1rem; }
dt { opacity: 0.75; font-size: 0.9rem; }
dd { margin: 0; font-size: 1.6rem; font-variant-numeric: tabular-nums; }
ul { list-style: none; padding: 0; margin: 0; }
li { padding: 0.8rem 0; border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
li p { margin: 0; overflow-wrap: anywhere; }
.small { opacity: 0.75; font-size: 0.9rem; }
progress { width: 100%; height: 0.7rem; margin: 0.4rem 0 0.2rem; accent-color: #2563eb; }
@media (min-width: 1800px) { :root { font-size: 24px; } }
`;

/** The public page: the project's progress without a script, so that any browser shows it. */
export function publicPage(status: PublicStatus, takesVolunteers: boolean): string {
  const { clients, slots, busy, rate, tasksDone, tasksWaiting, jobs, jobCount } = status;
  const figures: [string, string][] = [
    ["Computers", counting.format(clients)],
    ["Slots busy", `${counting.format(busy)} of ${counting.format(slots)}`],
    ["Results a second", precise.format(rate)],
    ["Tasks done", counting.format(tasksDone)],
    ["Tasks waiting", counting.format(tasksWaiting)],
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${refreshSeconds}">
<title>Manyhands: progress</title>
<link rel="icon" href="favicon.svg">
<style>${publicStyle}</style>
</head>
<body>
<main>
<h1>What these computers do together</h1>
<dl>
${figures.map(([label, value]) => `<div><dt>${label}</dt><dd>${value}</dd></div>`).join("\n")}
</dl>
${takesVolunteers ? '<p><a href="./">Help with this computer</a></p>' : ""}
<h2>${jobCount === 0 ? "No job at present" : `${counting.format(jobCount)} ${jobCount === 1 ? "job" : "jobs"} under way`}</h2>
<ul>
${jobs.map(job).join("\n")}
</ul>
${jobs.length < jobCount ? `<p class="small">The first ${counting.format(jobs.length)} are shown.</p>` : ""}
</main>
</body>
</html>
`;
}

function job(
  { name, customer, fraction, total, done, rate, estimatedMs }: PublicStatus["jobs"][number],
  at: number,
): string {
  const label = name === null ? `Job ${at + 1}` : escaped(name);
  const who = customer === null ? "" : ` <span class="small">of <bdi>${escaped(customer)}</bdi></span>`;
  const left = estimatedMs === null || estimatedMs === 0 ? "" : `, about ${span(estimatedMs)} left`;
  const percent = fraction >= 1 ? 100 : Math.min(99, Math.floor(fraction * 100));
  return `<li>
<p><strong><bdi>${label}</bdi></strong>${who}</p>
<progress max="100" value="${percent}" aria-label="Progress of ${label}">${percent} %</progress>
<p class="small">${counting.format(done)} of ${counting.format(total)} tasks done, ${precise.format(rate)}/s${left}</p>
</li>`;
}

function span(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / 60_000));
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

/** Text of a person as HTML; characters that turn the direction of writing beyond their element become visible. */
function escaped(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, "\ufffd")
    .replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
