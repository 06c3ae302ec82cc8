import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { ServerStatus } from "../../shared/wire/rest/status.ts";
import type { CreatedToken } from "../../shared/wire/rest/tokens.ts";
import { ClientProgram } from "./client-program.tsx";
import { CopyButton } from "./copy-button.tsx";
import { QrCode } from "../ui/qr-code.tsx";
import { Sentence } from "./sentence.tsx";
import { act } from "./state.ts";
import { texts } from "./texts/current.ts";

/** The address under which others join, as text and for a phone's camera. */
export function VolunteerCard({ status }: { status: ServerStatus }): JSX.Element {
  const text = texts.overview.join;
  const invitation = useSignal<string | undefined>(undefined);
  const address = invitation.value ?? bestAddress(status.volunteerUrls);
  const invite = async (): Promise<void> => {
    const made = await act("POST", "api/tokens", { role: "volunteer", name: text.invitation });
    if (made)
      invitation.value =
        (made as CreatedToken).inviteUrl ?? `${address}/?invite=${(made as CreatedToken).token}`;
  };
  const needsInvitation = status.volunteers === "invite" && invitation.value === undefined;
  return (
    <section class="card panel join" aria-labelledby="join">
      <div class="panel-head">
        <h2 id="join">{text.title}</h2>
      </div>
      {status.volunteers === "off" ? (
        <p class="muted">
          <Sentence text={text.off} />
        </p>
      ) : needsInvitation ? (
        <>
          <p class="muted">{text.invitationNeeded}</p>
          <button type="button" class="button primary" onClick={() => void invite()}>
            {text.invite}
          </button>
        </>
      ) : (
        <Address address={address} />
      )}
      <ClientProgram address={bestAddress(status.volunteerUrls)} />
    </section>
  );
}

function Address({ address }: { address: string }): JSX.Element {
  const text = texts.overview.join;
  return (
    <>
      <p class="muted">{text.open}</p>
      <div class="address">
        <a href={address}>{address}</a>
        <CopyButton text={address} />
      </div>
      <ScannedAddress address={address} />
    </>
  );
}

/** An address as a QR code, or why nobody else could open it. */
export function ScannedAddress({ address }: { address: string }): JSX.Element {
  return isLocal(address) ? (
    <p class="muted hint">
      <Sentence text={texts.overview.join.localOnly} />
    </p>
  ) : (
    <QrCode text={address} label={texts.frame.qrCode(address)} />
  );
}

/** The server's address without this page's name: a proxy may have put the server under a path. */
const pageAddress = new URL(".", location.href).href.replace(/\/$/, "");

/** The page's own address, which works for others too unless it is a loopback address. */
function bestAddress(urls: readonly string[]): string {
  if (!isLocal(location.origin)) return pageAddress;
  return urls.find((url) => !isLocal(url)) ?? urls[0] ?? pageAddress;
}

function isLocal(address: string): boolean {
  const { hostname } = new URL(address);
  return hostname === "localhost" || hostname.startsWith("127.") || hostname === "[::1]";
}
