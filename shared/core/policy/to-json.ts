// A policy as JSON, for programs that are not Keydesk: Terraform reads this and never the YAML, which it would read by the rules
// of YAML 1.1, where `no` is a boolean.

import type { LoadedPolicy } from './parse-yaml.ts';

/**
 * @returns `{ sha256, policy }`: the SHA-256 of the policy file, and the policy with every default filled in and durations in
 * seconds. Keys are sorted, so that the same policy gives the same bytes.
 * @param more what else the JSON has
 */
export function toPolicyJson({ policy, sha256 }: LoadedPolicy, more: object = {}): string {
  return `${JSON.stringify({ sha256, policy, ...more }, sorted, 2)}\n`;
}

function sorted(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
}
