// A path of members that is written as one text: google.compute_engine.project_id. In `at` of a claim, each member is an item of the list.

const IDENTIFIERS = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$/;
/** Names of claims that have a dot: they are names of domains. */
const DOMAIN = /^(?:[a-z0-9_]+\.)+(?:com|dev|io|net|org)(?=\.|$)/;

/** @returns the members of such a text; the text alone if it is one member, such as a URL */
export function splitMember(text: string): readonly string[] {
  if (!IDENTIFIERS.test(text)) return [text];
  const [domain] = DOMAIN.exec(text) ?? [];
  if (domain === undefined) return text.split('.');
  const rest = text.slice(domain.length + 1);
  return rest === '' ? [domain] : [domain, ...rest.split('.')];
}
