import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { AuditEntry } from "../../shared/wire/rest/audit.ts";
import type { BanInfo } from "../../shared/wire/rest/clients.ts";
import type { CreatedToken, TokenInfo } from "../../shared/wire/rest/tokens.ts";
import { formatDate } from "../ui/format.ts";
import { shownName, shownText } from "../ui/shown-name.ts";
import { DangerButton } from "./confirm.tsx";
import { CopyButton } from "./copy-button.tsx";
import { QuotaButton } from "./quota.tsx";
import { useReading } from "./reading.ts";
import { Sentence } from "./sentence.tsx";
import { act } from "./state.ts";
import { texts } from "./texts/current.ts";
import type { Texts } from "./texts/en/texts.ts";
import { TokenLimit } from "./token-limit.tsx";
import { ScannedAddress } from "./volunteer-card.tsx";

const everyMs = 5_000;

/** Who may do what: tokens and invitations, bans, and what administrators did. */
export function AccessPage(): JSX.Element {
  return (
    <>
      <Tokens />
      <Bans />
      <Audit />
    </>
  );
}

/** Seconds of the lifetimes to choose from. */
const lifetimes = {
  untilRevoked: "",
  day: "86400",
  week: "604800",
  month: "2592000",
  year: "31536000",
} satisfies Record<keyof Texts["access"]["lifetimes"], string>;

function Tokens(): JSX.Element {
  const { value: tokens = [], again } = useReading<TokenInfo[]>("api/tokens", everyMs);
  const made = useSignal<CreatedToken | undefined>(undefined);
  const { access: text } = texts;
  const revoke = async (id: string): Promise<void> => {
    await act("DELETE", `api/tokens/${id}`);
    again();
  };
  return (
    <section class="card panel" aria-labelledby="tokens">
      <h2 id="tokens">{text.tokens}</h2>
      <NewToken
        onMade={(token) => {
          made.value = token;
          again();
        }}
      />
      {made.value && <Secret token={made.value} />}
      <table class="table">
        <thead>
          <tr>
            <th scope="col">{text.label}</th>
            <th scope="col">{text.for}</th>
            <th scope="col">{text.expires}</th>
            <th scope="col" class="number">
              {text.clients}
            </th>
            <th scope="col">{text.lastUsed}</th>
            <th scope="col">
              <span class="visually-hidden">{texts.frame.actions}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {tokens.toReversed().map((token) => {
            const { id, role, name, expiresAt, lastUsedAt } = token;
            return (
              <tr key={id}>
                <th scope="row" data-label={text.label} class="long-name">
                  <span class="strong">{shownName(name)}</span>
                  <span class="muted sub">
                    <code>{id}</code>
                  </span>
                </th>
                <td data-label={text.for}>{text.shortRoles[role]}</td>
                <td data-label={text.expires}>{expiresAt === null ? text.never : formatDate(expiresAt)}</td>
                <td data-label={text.clients} class="number">
                  <TokenLimit token={token} onChange={again} />
                </td>
                <td data-label={text.lastUsed}>
                  {lastUsedAt === null ? text.never : formatDate(lastUsedAt)}
                </td>
                <td class="actions">
                  <div class="action-list">
                    {role === "customer" && <QuotaButton customer={name} />}
                    <DangerButton
                      label={text.revoke}
                      title={text.revokeTitle(shownName(name))}
                      text={text.revokeText}
                      verb={text.revokeVerb}
                      yes={() => void revoke(id)}
                    />
                  </div>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function NewToken({ onMade }: { onMade: (token: CreatedToken) => void }): JSX.Element {
  const make = async (form: HTMLFormElement): Promise<void> => {
    const given = new FormData(form);
    const text = (name: string): string => {
      const value = given.get(name);
      return typeof value === "string" ? value.trim() : "";
    };
    const made = await act("POST", "api/tokens", {
      role: text("role"),
      name: text("name"),
      ...(text("lifetime") !== "" && { expiresInSeconds: Number(text("lifetime")) }),
      ...(text("clients") !== "" && { maxClients: Number(text("clients")) }),
    });
    if (!made) return;
    form.reset();
    onMade(made as CreatedToken);
  };
  const { access: words } = texts;
  return (
    <form
      class="new-token"
      onSubmit={(event) => {
        event.preventDefault();
        void make(event.currentTarget);
      }}
    >
      <label>
        <span>{words.label}</span>
        <input name="name" required maxLength={200} placeholder={words.labelExample} />
      </label>
      <label>
        <span>{words.for}</span>
        <select name="role">
          {Object.entries(words.roles).map(([role, label]) => (
            <option key={role} value={role}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{words.lasts}</span>
        <select name="lifetime">
          {Object.entries(words.lifetimes).map(([lifetime, label]) => (
            <option key={lifetime} value={lifetimes[lifetime as keyof typeof lifetimes]}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{words.clientsAtOnce}</span>
        <input name="clients" type="number" min={1} max={100_000} step={1} placeholder={words.any} />
      </label>
      <button type="submit" class="button primary">
        {words.make}
      </button>
    </form>
  );
}

/** The secret of a new token, which is nowhere else. */
function Secret({ token: { token, inviteUrl, name } }: { token: CreatedToken }): JSX.Element {
  const text = inviteUrl ?? token;
  return (
    <div class="secret" role="status">
      <p>
        <span class="strong">{shownName(name)}</span>: {texts.access.shownOnce}
      </p>
      <div class="address">
        <code>{text}</code>
        <CopyButton text={text} />
      </div>
      {inviteUrl !== undefined && (
        <>
          <div class="address">
            <code>{token}</code>
            <CopyButton text={token} />
          </div>
          <ScannedAddress address={inviteUrl} />
        </>
      )}
    </div>
  );
}

function Bans(): JSX.Element {
  const { value: bans = [], again } = useReading<BanInfo[]>("api/bans", everyMs);
  const { access: text } = texts;
  const lift = async (subject: string): Promise<void> => {
    await act("DELETE", `api/bans/${encodeURIComponent(subject)}`);
    again();
  };
  return (
    <section class="card panel" aria-labelledby="bans">
      <h2 id="bans">{text.bans}</h2>
      {bans.length === 0 ? (
        <p class="muted">{text.noBans}</p>
      ) : (
        <table class="table">
          <thead>
            <tr>
              <th scope="col">{text.subject}</th>
              <th scope="col">{text.since}</th>
              <th scope="col">{text.reason}</th>
              <th scope="col">
                <span class="visually-hidden">{texts.frame.actions}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {bans.map(({ subject, reason, at }) => (
              <tr key={subject}>
                <th scope="row" data-label={text.subject} class="long-name">
                  <code>{shownName(subject)}</code>
                </th>
                <td data-label={text.since}>{formatDate(at)}</td>
                <td data-label={text.reason} class="long-name">
                  <bdi>{shownText(reason)}</bdi>
                </td>
                <td class="actions">
                  <button type="button" class="button small" onClick={() => void lift(subject)}>
                    {text.lift}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Audit(): JSX.Element {
  const { value: entries = [] } = useReading<AuditEntry[]>("api/audit?limit=100", everyMs);
  const { access: text } = texts;
  return (
    <section class="card panel" aria-labelledby="audit">
      <h2 id="audit">{text.audit}</h2>
      {entries.length === 0 ? (
        <p class="muted">{text.noAudit}</p>
      ) : (
        <table class="table">
          <thead>
            <tr>
              <th scope="col">{text.when}</th>
              <th scope="col">{text.who}</th>
              <th scope="col">{text.what}</th>
              <th scope="col">{text.detail}</th>
            </tr>
          </thead>
          <tbody>
            {entries.map(({ number, at, actor, token, action, subject, detail, refusal }) => (
              <tr key={number}>
                <td data-label={text.when}>{formatDate(at)}</td>
                <td data-label={text.who} class="long-name">
                  {shownName(actor)}
                  <span class="muted sub">
                    <code>{token}</code>
                  </span>
                </td>
                <th scope="row" data-label={text.what} class="long-name">
                  <span lang="en">{actionText(action)}</span>
                  {subject !== "" && (
                    <span class="muted sub">
                      <code>{shownName(subject)}</code>
                    </span>
                  )}
                </th>
                <td data-label={text.detail} class="wide long-name">
                  <bdi lang="en">{shownText(detail)}</bdi>
                  {refusal !== null && <span class="bad sub">{text.refused(refusal)}</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="muted">
        <Sentence text={text.newest} />
      </p>
    </section>
  );
}

/** "POST /api/jobs/{id}/cancel" → "cancel job". */
export function actionText(action: string): string {
  const [method = "", path = ""] = action.split(" ", 2);
  const parts = path.split("/").filter((part) => part !== "" && part !== "api" && !part.startsWith("{"));
  const [noun = "", verb] = parts;
  const one = noun === "sign-in" ? "sign-in" : noun.replace(/s$/, "");
  if (method === "DELETE")
    return `${noun === "sign-in" ? "end" : noun === "bans" ? "lift" : noun === "tokens" ? "revoke" : "delete"} ${verb ?? one}`;
  return verb === undefined ? (noun === "tokens" ? "make token" : one) : `${verb} ${one}`;
}
