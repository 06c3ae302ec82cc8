/** Control characters, line separators, and what turns the direction of writing (Unicode Standard Annex 9, §2). */
const steering = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * A text of others inside one of ours: what would steer the line becomes visible, and letters that are written from right to left
 * turn nothing but themselves (first strong isolate … pop directional isolate). Also where no element can: sentences, labels, titles.
 */
export function shownName(name: string): string {
  return /^[ -~]*$/.test(name) ? name : `\u2068${name.replace(steering, "\ufffd")}\u2069`;
}

/** The same for what stands by itself over several lines: a message, a stack. */
export function shownText(text: string): string {
  return text.replace(steering, (character) => (/[\n\t]/.test(character) ? character : "\ufffd"));
}
