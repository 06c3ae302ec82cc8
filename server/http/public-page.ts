import type { PublicStatus } from "../../shared/wire/rest/public-status.ts";
import type { Project } from "../project.ts";
import { publicPage as german } from "./texts/de/public-page.ts";
import { publicPage as english, type PublicPageTexts } from "./texts/en/public-page.ts";

/** The page asks for itself anew this often. */
const refreshSeconds = 10;

/** Texts by language; browsers that speak none of these get English. */
const languages = { en: english, de: german };
export type PublicPageLanguage = keyof typeof languages;
export const publicPageLanguages = Object.keys(languages) as PublicPageLanguage[];

export const publicStyle = `
:root { color-scheme: light dark; font: 17px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem; }
h1 { font-size: 1.6rem; margin: 0 0 1.25rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: 1rem; margin: 0 0 2rem; }
dl div { display: grid; grid-row: span 2; grid-template-rows: subgrid; row-gap: 0; border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: 0.6rem; padding: 0.8rem 1rem; }
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
export function publicPage(
  status: PublicStatus,
  project: Pick<Project, "title" | "text" | "link"> | undefined,
  takesVolunteers: boolean,
  language: PublicPageLanguage,
): string {
  const speaker = speakerOf(language);
  const { texts, count, precise } = speaker;
  const { clients, slots, busy, rate, tasksDone, tasksWaiting, jobs, jobCount } = status;
  const figures: [string, string][] = [
    [texts.computers, count(clients)],
    [texts.slotsBusy, texts.of(count(busy), count(slots))],
    [texts.rate, precise(rate)],
    [texts.tasksDone, count(tasksDone)],
    [texts.tasksWaiting, count(tasksWaiting)],
  ];
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${refreshSeconds}">
<title>${project ? escaped(project.title) : texts.title}</title>
<link rel="icon" href="favicon.svg">
<style>${publicStyle}</style>
</head>
<body>
<main>
<h1 dir="auto">${project ? escaped(project.title) : texts.heading}</h1>
${project ? about(project, texts) : ""}
<dl>
${figures.map(([label, value]) => `<div><dt>${label}</dt><dd>${value}</dd></div>`).join("\n")}
</dl>
${takesVolunteers ? `<p><a href="./">${texts.help}</a></p>` : ""}
<h2>${jobCount === 0 ? texts.noJob : jobCount === 1 ? texts.oneJob : texts.jobs(count(jobCount))}</h2>
<ul>
${jobs.map((each, at) => job(each, at, speaker)).join("\n")}
</ul>
${jobs.length < jobCount ? `<p class="small">${texts.firstShown(count(jobs.length))}</p>` : ""}
</main>
</body>
</html>
`;
}

function about({ text, link }: Pick<Project, "text" | "link">, { moreAbout }: PublicPageTexts): string {
  return `<p><bdi>${escaped(text)}</bdi> ${link === undefined ? "" : `<a href="${escaped(link)}" rel="noreferrer">${moreAbout}</a>`}</p>`;
}

function job(
  { name, customer, fraction, total, done, rate, estimatedMs }: PublicStatus["jobs"][number],
  at: number,
  { texts, count, precise }: Speaker,
): string {
  const label = name === null ? texts.job(count(at + 1)) : escaped(name);
  const who =
    customer === null
      ? ""
      : ` <span class="small">${texts.ofCustomer} <bdi>${escaped(customer)}</bdi></span>`;
  const left = estimatedMs === null || estimatedMs === 0 ? "" : texts.left(span(estimatedMs, texts));
  const percent = fraction >= 1 ? 100 : Math.min(99, Math.floor(fraction * 100));
  return `<li>
<p><strong><bdi>${label}</bdi></strong>${who}</p>
<progress max="100" value="${percent}" aria-label="${texts.progressOf(label)}">${percent} %</progress>
<p class="small">${texts.done(count(done), count(total))}, ${precise(rate)}/s${left}</p>
</li>`;
}

/** Texts and formats of a language. */
interface Speaker {
  readonly texts: PublicPageTexts;
  readonly count: (count: number) => string;
  /** Three significant digits. */
  readonly precise: (number: number) => string;
}

function speakerOf(language: PublicPageLanguage): Speaker {
  const counting = new Intl.NumberFormat(language);
  const rounding = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
  return {
    texts: languages[language],
    count: (count) => counting.format(count),
    precise: (number) => rounding.format(number),
  };
}

function span(ms: number, texts: PublicPageTexts): string {
  const minutes = Math.max(1, Math.round(ms / 60_000));
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : texts.days(Math.round(hours / 24));
}

/** Text of a person as HTML; characters that turn the direction of writing beyond their element become visible. */
function escaped(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, "\ufffd")
    .replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
