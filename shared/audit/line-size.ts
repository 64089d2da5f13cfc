// Keeps an audit line below the size of an entry that Cloud Logging takes, 256 KiB
// (docs.cloud.google.com/logging/quotas). A line that is too long is shortened, never dropped.

/** UTF-8 bytes. Cloud Logging adds fields of its own to an entry. */
export const MAX_LINE_BYTES = 200_000;

const LIST_ITEMS = 50;
const MEMBERS = 100;
const TEXT_LENGTH = 1_024;
const DEPTH = 6;

const FACTS = 50;
const LABELS = 20;
const NAME_LENGTH = 128;
const SHORT_TEXT_LENGTH = 256;

type Line = Readonly<Record<string, unknown>>;

/**
 * The text of a line that fits: as it is, else with its long texts and lists cut, else only with what is no list and no
 * object. A line that was cut has `truncated: true`.
 * @param toText JSON, of six bytes for each UTF-16 code unit at most
 */
export function fitLine(line: Line, toText: (line: Line) => string): string {
  const whole = toText(line);
  if (fits(whole)) return whole;
  const shorter = toText({ ...(shorten(line, DEPTH) as Line), ...toStructured(line), truncated: true });
  return fits(shorter) ? shorter : toText(toEssentials(line));
}

function fits(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_LINE_BYTES;
}

function shorten(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.slice(0, TEXT_LENGTH);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) return '…';
  if (Array.isArray(value)) return value.slice(0, LIST_ITEMS).map((item) => shorten(item, depth - 1));
  const members = Object.entries(value).slice(0, MEMBERS);
  return Object.fromEntries(members.map(([name, member]) => [name.slice(0, NAME_LENGTH), shorten(member, depth - 1)]));
}

/** Cloud Logging's own members are kept, as far as they are of a bounded form. */
const STRUCTURED = ['logging.googleapis.com/labels', 'httpRequest'];

function toStructured(line: Line): Line {
  const structured = STRUCTURED.flatMap((name) => {
    const member = line[name];
    return typeof member === 'object' && member !== null ? [[name, plainFacts(member, LABELS)] as const] : [];
  });
  return Object.fromEntries(structured);
}

function toEssentials(line: Line): Line {
  return { ...plainFacts(line, FACTS), ...toStructured(line), truncated: true };
}

/** The members that are texts, numbers, booleans or null. */
function plainFacts(value: object, most: number): Line {
  const plain = Object.entries(value).filter(([, member]) => typeof member !== 'object' || member === null);
  return Object.fromEntries(
    plain
      .slice(0, most)
      .map(([name, member]) => [
        name.slice(0, NAME_LENGTH),
        typeof member === 'string' ? member.slice(0, SHORT_TEXT_LENGTH) : member,
      ]),
  );
}
