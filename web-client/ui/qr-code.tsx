import type { JSX } from "preact";
// The package's types know the default export only.
// oxlint-disable-next-line import/no-named-as-default
import qrcode from "qrcode-generator";

/** White space around a code, in modules (ISO/IEC 18004). */
const margin = 4;

/** A QR code as one SVG path. @param label - what it is, for those who cannot see it */
export function QrCode({ text, label }: { text: string; label: string }): JSX.Element {
  const code = qrcode(0, "M");
  code.addData(text);
  code.make();
  const count = code.getModuleCount();
  let path = "";
  for (let row = 0; row < count; row++)
    for (let column = 0; column < count; column++)
      if (code.isDark(row, column)) path += `M${column + margin} ${row + margin}h1v1h-1z`;
  const size = count + 2 * margin;
  return (
    <svg
      class="qr"
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label={label}
      shape-rendering="crispEdges"
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
