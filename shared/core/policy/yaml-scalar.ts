// Text as YAML, for files that Keydesk writes.

import { stringify } from 'yaml';

/** In quotes unless it is a word that YAML 1.1 and 1.2 read as text. */
export function yamlScalar(text: string): string {
  const plain =
    /^[a-z0-9][a-z0-9-]*$/i.test(text) &&
    (['1.1', '1.2'] as const).every((version) => stringify(text, { version }) === `${text}\n`);
  return plain ? text : yamlQuoted(text);
}

/** Everything but ASCII is escaped: a character may be invisible. */
export function yamlQuoted(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
