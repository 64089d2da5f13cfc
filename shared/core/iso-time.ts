// Times as people and JSON have them: ISO 8601 in UTC. Keydesk's own are milliseconds since the epoch.

export function toIso(at: number): string {
  return new Date(at).toISOString();
}

/** Null for no time. */
export function toIsoOrNull(at: number | null | undefined): string | null {
  return at === null || at === undefined ? null : toIso(at);
}

/** The same ISO time in whole seconds: `2026-11-24T10:00:00Z`. */
export function toWholeSeconds(time: string): string {
  return time.replace(/\.\d+Z$/, 'Z');
}
