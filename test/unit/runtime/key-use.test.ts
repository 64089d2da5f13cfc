// Which use of a webhook's key is to be recorded, and how often.

import { describe, expect, it } from 'vitest';
import { KeyUse } from '../../../functions/webhook/key-use.ts';
import { keyFingerprint } from '../../../shared/core/webhook/key-fingerprint.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const NOW = Date.UTC(2026, 10, 24, 10);
const MINUTE = 60_000;
const KEYS = ['first-webhook-token', 'second-webhook-token'];

function used() {
  const clock = new TestClock(NOW);
  return { clock, use: new KeyUse(KEYS, clock) };
}
const times = (use: KeyUse) => use.take().map(({ last_accepted_at }) => last_accepted_at);

describe('the use of a key', () => {
  it('is nothing new before a webhook came', () => {
    const { use } = used();
    expect(use.hasNews()).toBe(false);
    expect(use.take()).toEqual(KEYS.map((key) => ({ fingerprint: keyFingerprint(key), last_accepted_at: null })));
  });

  it('is recorded at most once a minute', () => {
    const { use, clock } = used();
    use.accepted(1);
    expect(use.hasNews()).toBe(true);
    expect(times(use)).toEqual([NOW, null]);
    clock.advance(MINUTE - 1);
    use.accepted(1);
    expect(use.hasNews()).toBe(false);
    clock.advance(1);
    expect(use.hasNews()).toBe(true);
    expect(times(use)).toEqual([NOW + MINUTE - 1, null]);
    clock.advance(MINUTE);
    expect(use.hasNews()).toBe(false);
  });

  it('is recorded at once when another key is used for the first time', () => {
    const { use, clock } = used();
    use.accepted(1);
    use.take();
    clock.advance(1);
    use.accepted(2);
    expect(use.hasNews()).toBe(true);
    expect(times(use)).toEqual([NOW, NOW + 1]);
    expect(use.hasNews()).toBe(false);
  });
});

describe('the fingerprint of a key', () => {
  it('is as docs/STORAGE.md says, so that an operator can compute it', () => {
    // printf 'keydesk webhook key\nfirst-webhook-token' | sha256sum | cut -c1-12
    expect(keyFingerprint('first-webhook-token')).toBe('e923d584c0c1');
    expect(keyFingerprint('second-webhook-token')).not.toBe('e923d584c0c1');
  });
});
