// Every grant that has ended has a line about its end. The one exception is documented: a process that is killed after it recorded
// the end writes no line. Then its caller got no response, and that time is known.

import { type Evidence, observed, timeOf } from './evidence.ts';
import { at, type Judged, Judgement } from './verdict.ts';

const ENDED = new Set(['grant.revoked', 'grant.ended', 'grant.expired']);

export function judgeAuditLines(evidence: Evidence): Judged {
  const judgement = new Judgement();
  const ended = new Set<string>();
  for (const { entry } of evidence.lines)
    if (entry && ENDED.has(String(entry.event))) ended.add(String(entry.grant_id));
  const interrupted = interruptedWork(evidence);
  for (const { id, fields } of evidence.ledger.grants ?? []) {
    if (ended.has(id)) {
      judgement.expect(true, () => '');
      continue;
    }
    const times = ['ended_at', 'access_ended_at', 'job_ended_at'].map((name) => timeOf(fields, name));
    const excused = interrupted.some(([from, until]) =>
      times.some((time) => time !== undefined && from <= time && time <= until),
    );
    if (excused) judgement.note('grants whose line of the end a killed process did not write');
    judgement.expect(
      excused,
      () => `grant ${id} is ${fields.state} since ${at(times[0] ?? 0)} and has no line of its end`,
    );
  }
  return judgement;
}

/** From when to when requests were in work at instances that ended before they responded. */
function interruptedWork(evidence: Evidence): (readonly [number, number])[] {
  const exits = new Map(
    observed(evidence, 'process').flatMap(({ event, instance, at: time }) =>
      event === 'exited' ? [[instance, time] as const] : [],
    ),
  );
  return observed(evidence, 'request').flatMap(({ instance, sent, ended, failure }) => {
    const exit = exits.get(instance);
    const unanswered = failure === 'reset' || failure === 'hung_up' || failure === 'timed_out';
    if (exit === undefined || !unanswered) return [];
    // One that hung up before is worked on until the instance ends.
    const atExit = failure === 'reset' ? Math.abs(ended - exit) < 2_000 : exit - ended < 60_000;
    return atExit ? [[sent, exit] as const] : [];
  });
}
