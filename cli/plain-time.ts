// Times for people.

/** 2026-11-24 10:00 UTC. @param time ISO 8601 in UTC */
export function plainTime(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`;
}
