/** Control characters, line separators, and characters that turn the direction of writing (Unicode Standard Annex 9, §2). */
const steering = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * Prepares a name given by others for a sentence, label or title, where no element can isolate it: control characters become visible, and
 * the name's direction of writing does not affect its surroundings (first strong isolate … pop directional isolate).
 */
export function shownName(name: string): string {
  return /^[ -~]*$/.test(name) ? name : `\u2068${name.replace(steering, "\ufffd")}\u2069`;
}

/** As `shownName`, for a text of several lines such as a message or a stack. */
export function shownText(text: string): string {
  return text.replace(steering, (character) => (/[\n\t]/.test(character) ? character : "\ufffd"));
}
