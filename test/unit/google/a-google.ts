// A Google that answers what it was told to, in that order, fails loudly on any request more, and is not reached by one
// whose time is up.

import { expect } from 'vitest';
import type { Ask, Outgoing, OutgoingAnswer } from '../../../shared/outgoing.ts';
import { Unavailable } from '../../../shared/unavailable.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

export const IAM = 'https://iam.googleapis.com';
export const EMAIL = 'ci-001@acme-staging.iam.gserviceaccount.com';
/** The account's resource: by its project, never by `-`. */
export const RESOURCE = `${IAM}/v1/projects/acme-staging/serviceAccounts/ci-001%40acme-staging.iam.gserviceaccount.com`;

type Answered = Omit<OutgoingAnswer, 'headers'> | Error;
export const ok = (json: unknown): Answered => ({ status: 200, json });
export const refusedWith = (status: number, code: string, message: string): Answered => ({
  status,
  json: { error: { code: status, status: code, message } },
});
export const denied = refusedWith(403, 'PERMISSION_DENIED', "Permission 'x' denied");
export const gone = refusedWith(404, 'NOT_FOUND', 'Unknown service account');
export const broken: Answered = { status: 500, json: undefined };
export const anAccount = (more: object = {}) =>
  ok({ name: RESOURCE, email: EMAIL, projectId: 'acme-staging', ...more });

export interface Google {
  readonly ask: Ask;
  /** Stands still but for the pauses of whoever asks. */
  readonly clock: TestClock;
  readonly asked: Outgoing[];
  /** Whether every answer was asked for. */
  done(): void;
}

export function aGoogle(...answers: readonly Answered[]): Google {
  const clock = new TestClock(Date.UTC(2026, 10, 24));
  const waiting = [...answers];
  const asked: Outgoing[] = [];
  return {
    asked,
    clock,
    ask: async ({ until = Number.POSITIVE_INFINITY, ...request }) => {
      if (clock.now() >= until) throw new Unavailable(request.what, 'not asked: too late');
      asked.push(request);
      const answer = waiting.shift();
      if (!answer) throw new TypeError(`nobody expected ${request.method ?? 'GET'} ${request.url}`);
      if (answer instanceof Error) throw answer;
      return { ...answer, headers: new Headers() };
    },
    done: () => expect(waiting).toEqual([]),
  };
}
