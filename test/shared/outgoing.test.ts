import { describe, expect, it } from 'vitest';
import { ask } from '../../shared/outgoing.ts';

describe('a request whose time is up', () => {
  const nowhere = { what: 'nobody', url: 'http://127.0.0.1:9/' };

  it('is not sent', async () => {
    const late = ask({ ...nowhere, patience: { until: 1_000, now: () => 1_000 } });
    await expect(late).rejects.toThrow('nobody: not asked: its time was up');
  });

  it('is sent a millisecond before', async () => {
    const inTime = ask({ ...nowhere, patience: { until: 1_000, now: () => 999 } });
    await expect(inTime).rejects.toThrow('nobody: could not be reached');
  });
});
