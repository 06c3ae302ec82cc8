import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Attachment } from "../../shared/wire/rest/attachments.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { formatBytes, formatCount } from "../ui/format.ts";
import { shownName, shownText } from "../ui/shown-name.ts";
import { CopyButton } from "./copy-button.tsx";
import { readCsv } from "./csv.ts";
import { useReading } from "./reading.ts";
import { linesFor } from "./result-lines.ts";
import { texts } from "./texts/current.ts";

/** Characters and rows of a text that are shown; the file has all of it. */
const shownChars = 20_000;
const shownRows = 50;

/** What the customer attached, the results as files, and the lines that fetch them. */
export function Results({ job }: { job: JobInfo }): JSX.Element {
  const path = `api/jobs/${job.id}`;
  const { value: attachments = [] } = useReading<Attachment[]>(`${path}/attachments`, 5_000);
  return (
    <section class="card panel" aria-labelledby="results">
      <div class="panel-head">
        <h2 id="results">{texts.job.results.title}</h2>
        <div class="action-list">
          <a class="button small" href={`${path}/results?format=ndjson`} download>
            NDJSON
          </a>
          <a class="button small" href={`${path}/results?format=msgpack`} download>
            MessagePack
          </a>
        </div>
      </div>
      {attachments.map((attachment) => (
        <Shown key={attachment.name} path={path} attachment={attachment} />
      ))}
      <details>
        <summary>{texts.job.results.program}</summary>
        {linesFor(serverAddress(), job.id).map(([language, text]) => (
          <div key={language} class="snippet">
            <div class="panel-head">
              <h3>{language}</h3>
              <CopyButton text={text} />
            </div>
            <pre tabIndex={0}>{text}</pre>
          </div>
        ))}
      </details>
    </section>
  );
}

function Shown({ path, attachment }: { path: string; attachment: Attachment }): JSX.Element {
  const { name, type, size, at } = attachment;
  // The time makes the address another one when the attachment was replaced.
  const address = `${path}/attachments/${encodeURIComponent(name)}?at=${at}`;
  return (
    <figure class="attachment">
      {type.startsWith("image/") ? (
        // In an <img> nothing of an SVG runs or loads.
        <img src={address} alt={texts.job.results.attached(shownName(name))} loading="lazy" />
      ) : (
        <TextOf address={address} isTable={type === "text/csv"} name={name} />
      )}
      <figcaption>
        <a href={address} download={name}>
          {shownName(name)}
        </a>{" "}
        <span class="muted">{formatBytes(size)}</span>
      </figcaption>
    </figure>
  );
}

function TextOf({
  address,
  isTable,
  name,
}: {
  address: string;
  isTable: boolean;
  name: string;
}): JSX.Element {
  const text = useSignal("");
  useEffect(() => {
    fetch(address)
      .then(async (reply) => void (text.value = reply.ok ? await reply.text() : ""))
      .catch(() => undefined);
  }, [address]);
  const shown = shownText(text.value.slice(0, shownChars));
  if (!isTable) return <pre tabIndex={0}>{shown}</pre>;
  const rows = readCsv(shown);
  const [head = [], ...body] = rows.slice(0, shownRows + 1);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={shownName(name)}>
      <table class="plain">
        <thead>
          <tr>
            {head.map((cell, at) => (
              <th key={at} scope="col">
                {cell}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {body.map((row, at) => (
            <tr key={at}>
              {row.map((cell, column) => (
                <td key={column}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > shownRows + 1 && (
        <p class="muted">{texts.job.results.firstRows(formatCount(shownRows))}</p>
      )}
    </div>
  );
}

function serverAddress(): string {
  return new URL(".", location.href).href.replace(/\/$/, "");
}
