import { describe, expect, it } from 'vitest';
import { createAsk } from '../../shared/outgoing.ts';
import { TestClock } from '../fixtures/test-clock.ts';

describe('a request whose time is up', () => {
  const nowhere = { what: 'nobody', url: 'http://127.0.0.1:9/' };

  it('is not sent', async () => {
    const late = createAsk(new TestClock(1_000))({ ...nowhere, until: 1_000 });
    await expect(late).rejects.toThrow('nobody: not asked: its time was up');
  });

  it('is sent a millisecond before', async () => {
    const inTime = createAsk(new TestClock(999))({ ...nowhere, until: 1_000 });
    await expect(inTime).rejects.toThrow('nobody: could not be reached');
  });
});
