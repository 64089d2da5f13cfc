// What a statement without a name is called.

import type { WrittenStatement } from './test-file.ts';

/** Such as `never environment production, unless pipeline is web-release`. */
export function describeStatement({ never, always, ...written }: WrittenStatement): string {
  const [kind, subject] = never ? ['never', never] : ['always', always ?? {}];
  const what = Object.entries(subject).map(([key, value]) => `${key} ${toList(value).join(' or ')}`);
  return [
    `${kind} ${what.join(', ')}`,
    ...(written.for === undefined ? [] : [`for ${describeMatches(written.for)}`]),
    ...(written.unless === undefined ? [] : [`unless ${describeMatches(written.unless)}`]),
  ].join(', ');
}

function describeMatches(value: unknown): string {
  const matches = toList(value).map((match) =>
    Object.entries(Object(match)).map(
      ([claim, patterns]) => `${claim} is ${toList(patterns).map(toWord).join(' or ')}`,
    ),
  );
  return matches.map((claims) => claims.join(' and ')).join('; or ');
}

/** A condition is a map. */
function toWord(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, member]) => `${key} ${toList(member).map(toWord).join(' or ')}`)
    .join(', ');
}

function toList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}
