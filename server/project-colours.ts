/** Colours for buttons, links and bars, on the light and on the dark page. */
export interface Accents {
  readonly light: Accent;
  readonly dark: Accent;
}

export interface Accent {
  readonly accent: string;
  /** Under the pointer. */
  readonly strong: string;
  /** Text on either of them. */
  readonly on: string;
}

type Colour = readonly [number, number, number];

const white: Colour = [255, 255, 255];
const black: Colour = [0, 0, 0];
/** The sunken parts of the pages (web-client/ui/base.css), which are nearest to an accent in brightness. */
const lightGround: Colour = [0xec, 0xef, 0xf3];
const darkGround: Colour = [0x24, 0x2e, 0x3a];
/** Contrast of text with its ground (WCAG 2.2, success criterion 1.4.3). */
const leastContrast = 4.5;

/** Colours near to one that a person can read on both pages, whatever it is. */
export function accentsOf(hex: string): Accents {
  const colour = parse(hex);
  return { light: accentOn(colour, lightGround, black), dark: accentOn(colour, darkGround, white) };
}

function accentOn(colour: Colour, ground: Colour, towards: Colour): Accent {
  let share = 0;
  while (share < 1 && contrast(mix(colour, towards, share), ground) < leastContrast) share += 0.05;
  const accent = mix(colour, towards, share);
  const strong = mix(accent, towards, 0.2);
  const on = contrast(white, accent) >= contrast(black, accent) ? white : black;
  return { accent: toHex(accent), strong: toHex(strong), on: toHex(on) };
}

/** Contrast of two colours, 1 … 21 (WCAG 2.2). */
export function contrastOf(a: string, b: string): number {
  return contrast(parse(a), parse(b));
}

function contrast(a: Colour, b: Colour): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: Colour): number {
  const [r, g, b] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function mix(a: Colour, b: Colour, share: number): Colour {
  return a.map((part, i) => Math.round(part + (b[i]! - part) * Math.min(1, share))) as unknown as Colour;
}

function parse(hex: string): Colour {
  const whole = Number.parseInt(hex.slice(1), 16);
  return [whole >> 16, (whole >> 8) & 0xff, whole & 0xff];
}

function toHex(colour: Colour): string {
  return `#${colour.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
