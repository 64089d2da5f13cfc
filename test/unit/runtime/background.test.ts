// What an instance records while no request waits: when it begins, how often it is tried, and that nobody notices a failure.

import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { BackgroundRecord, withBackground } from '../../../functions/runtime/background.ts';
import type { AuditEvent } from '../../../shared/audit/events.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const MINUTE = 60_000;

function recorder(outcomes: (() => Promise<void>)[], hasNews?: () => boolean) {
  const clock = new TestClock(0);
  const audit: AuditEvent[] = [];
  let begun = 0;
  const background = new BackgroundRecord({
    record: () => {
      begun += 1;
      const outcome = outcomes.shift();
      if (!outcome) throw new Error('one attempt too many');
      return outcome();
    },
    ...(hasNews ? { hasNews } : {}),
    audit: (event) => audit.push(event),
    clock,
  });
  const run = async () => {
    background.run();
    await setImmediate();
    return begun;
  };
  return { clock, audit, background, run };
}
const succeed = async () => {};
const fail = () => Promise.reject(new DependencyError('ledger', 'unreachable', 'broken'));

describe('the record of the start', () => {
  it('is written once', async () => {
    const { run, audit } = recorder([succeed]);
    expect([await run(), await run()]).toEqual([1, 1]);
    expect(audit).toEqual([]);
  });

  it('is tried once more after a failure, at a later request, and is not missed in silence', async () => {
    const { run, audit } = recorder([fail, fail]);
    expect(await run()).toBe(1);
    expect(audit).toEqual([]);
    expect([await run(), await run()]).toEqual([2, 2]);
    expect(audit).toMatchObject([
      { event: 'deployment.unrecorded', severity: 'WARNING', dependency: 'ledger', code: 'unreachable' },
    ]);
  });

  it('waits for an attempt that is under way, and for none that has come to nothing for a minute', async () => {
    const { run, clock } = recorder([() => new Promise(() => {}), succeed]);
    expect([await run(), await run()]).toEqual([1, 1]);
    clock.advance(MINUTE - 1);
    expect(await run()).toBe(1);
    clock.advance(1);
    expect([await run(), await run()]).toEqual([2, 2]);
  });

  it('sets no timer', async () => {
    const { run, clock } = recorder([() => new Promise(() => {})]);
    await run();
    expect(clock.deadlines).toBe(0);
  });

  it('is left out when something else recorded it', async () => {
    const { run, background } = recorder([]);
    background.skipStart();
    expect(await run()).toBe(0);
  });
});

it('what is new later is recorded later, also after a failure', async () => {
  let isNew = false;
  const { run, audit } = recorder([succeed, fail, succeed], () => isNew);
  expect([await run(), await run()]).toEqual([1, 1]);
  isNew = true;
  expect(await run()).toBe(2);
  expect(audit).toHaveLength(1);
  expect(await run()).toBe(3);
  isNew = false;
  expect(await run()).toBe(3);
});

describe('work in the background of a listener', () => {
  function serving() {
    const done: string[] = [];
    const requests = (message: IncomingMessage) => void done.push(`request ${message.url}`);
    const background = withBackground(requests, () => void done.push('work'));
    const request = (url: string) => {
      const response = new EventEmitter();
      background.listener({ url } as IncomingMessage, response as ServerResponse);
      return response;
    };
    return { done, request, runIfIdle: background.runIfIdle };
  }

  it('begins after the response, also of a client that hung up', () => {
    const { done, request } = serving();
    const response = request('/a');
    expect(done).toEqual(['request /a']);
    response.emit('close');
    expect(done).toEqual(['request /a', 'work']);
  });

  it('begins without a request when there is none', () => {
    const { done, runIfIdle } = serving();
    runIfIdle();
    expect(done).toEqual(['work']);
  });

  it('does not compete with a request that came first', () => {
    const { done, request, runIfIdle } = serving();
    const response = request('/a');
    runIfIdle();
    expect(done).toEqual(['request /a']);
    response.emit('close');
    runIfIdle();
    expect(done).toEqual(['request /a', 'work', 'work']);
  });
});
