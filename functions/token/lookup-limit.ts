// Bounds what strangers cost the ledger through /introspect and /revoke. Only lookups that find nothing are charged: to the
// caller's address and to the instance. An address that holds tokens is not charged to the instance, so that a flood from
// other addresses does not reach it. Requests about unknown tokens are counted in one audit line a minute,
// which is written with the next request, or when the instance ends.

import { isIPv6 } from 'node:net';
import { auditEvent } from '../../shared/audit/events.ts';
import type { AuditLogger } from '../../shared/audit/logger.ts';
import type { Clock } from '../../shared/runtime/clock.ts';

/** Lookups at once, and per second in the long run. An instance serves up to 80 requests at once. */
export const PER_ADDRESS = { burst: 100, perSecond: 1 };
export const PER_INSTANCE = { burst: 300, perSecond: 10 };
/** An address holds tokens for so long after one was issued to it or found: no token lives longer. */
const HOLDER_MS = 3_600_000;
/** Addresses that are remembered; the one that was quiet longest is forgotten first. */
const MAX_ADDRESSES = 10_000;
const REPORT_PAUSE_MS = 60_000;
const ADDRESSES_REPORTED = 5;

export class LookupLimit {
  readonly #clock: Clock;
  readonly #audit: AuditLogger;
  readonly #instance: Bucket;
  readonly #addresses = new Map<string, Bucket>();
  /** Until when an address is taken to hold tokens. Only real tokens get an address in here. */
  readonly #holders = new Map<string, number>();
  #counted = emptyCounts();
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor({ clock, audit }: { readonly clock: Clock; readonly audit: AuditLogger }) {
    this.#clock = clock;
    this.#audit = audit;
    this.#instance = newBucket(PER_INSTANCE, clock.now());
  }

  /** Charges one lookup. Seconds to wait when there is none left; 0 when the token may be looked up. */
  charge(remoteIp: string | undefined): number {
    const now = this.#clock.now();
    const address = toAddress(remoteIp);
    const bucket = this.#addresses.get(address) ?? newBucket(PER_ADDRESS, now);
    remember(this.#addresses, address, bucket);
    const own = secondsToNext(bucket, PER_ADDRESS, now);
    const shared = this.#isHolder(address, now) ? 0 : secondsToNext(this.#instance, PER_INSTANCE, now);
    const wait = Math.max(own, shared);
    if (wait > 0) return wait;
    bucket.left -= 1;
    if (!this.#isHolder(address, now)) this.#instance.left -= 1;
    return 0;
  }

  /** A lookup found its token: it is not charged. */
  refund(remoteIp: string | undefined): void {
    const address = toAddress(remoteIp);
    const bucket = this.#addresses.get(address);
    if (bucket) bucket.left += 1;
    if (!this.#isHolder(address, this.#clock.now())) this.#instance.left += 1;
    this.markHolder(remoteIp);
  }

  /** A token was issued to this address, or somebody there has shown one. */
  markHolder(remoteIp: string | undefined): void {
    remember(this.#holders, toAddress(remoteIp), this.#clock.now() + HOLDER_MS);
  }

  /** Counts a request about an unknown token. */
  countUnknown(outcome: 'not_looked_up' | 'not_found' | 'rejected', remoteIp: string | undefined): void {
    const counted = this.#counted;
    if (counted.requests === 0) counted.since = this.#clock.now();
    counted.requests += 1;
    counted[outcome] += 1;
    if (counted.addresses.size < ADDRESSES_REPORTED) counted.addresses.add(remoteIp?.slice(0, 64) ?? 'unknown');
  }

  /** Writes what was counted, if the last line is a minute old. To be called with each request. */
  report(): void {
    const elapsed = this.#clock.now() - this.#reportedAt;
    if (elapsed < 0 || elapsed >= REPORT_PAUSE_MS) this.flush();
  }

  /**
   * Writes what was counted, if there is something. To be called when the process exits. No timer does this: between
   * requests the platform may give an instance no processor time.
   */
  flush(): void {
    const { requests, since, addresses, ...counts } = this.#counted;
    if (requests === 0) return;
    this.#reportedAt = this.#clock.now();
    this.#counted = emptyCounts();
    const counted_since = new Date(since).toISOString();
    this.#audit(auditEvent('token.unknown', { requests, ...counts, counted_since, remote_ips: [...addresses] }));
  }

  #isHolder(address: string, now: number): boolean {
    return (this.#holders.get(address) ?? 0) > now;
  }
}

interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

interface Bucket {
  left: number;
  filledAt: number;
}

function newBucket({ burst }: Rate, now: number): Bucket {
  return { left: burst, filledAt: now };
}

/** Fills the bucket as far as time went on. Whole seconds until it has one; 0 when it has. */
function secondsToNext(bucket: Bucket, { burst, perSecond }: Rate, now: number): number {
  const seconds = Math.max(0, now - bucket.filledAt) / 1000;
  bucket.left = Math.min(burst, bucket.left + seconds * perSecond);
  bucket.filledAt = now;
  return bucket.left >= 1 ? 0 : Math.ceil((1 - bucket.left) / perSecond);
}

function emptyCounts() {
  return { requests: 0, not_looked_up: 0, not_found: 0, rejected: 0, since: 0, addresses: new Set<string>() };
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= MAX_ADDRESSES) return;
  const [leastRecent] = map.keys();
  if (leastRecent !== undefined) map.delete(leastRecent);
}

/** One caller's address: an IPv4 address, or the 64 bits of an IPv6 address that name its network. */
function toAddress(remoteIp = 'unknown'): string {
  const ipv4 = /^::ffff:([0-9.]+)$/i.exec(remoteIp)?.[1];
  if (ipv4 !== undefined) return ipv4;
  if (!isIPv6(remoteIp)) return remoteIp.slice(0, 64);
  const [head = '', tail = ''] = remoteIp.toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const zeros = remoteIp.includes('::') ? Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0') : [];
  return [...left, ...zeros, ...right]
    .slice(0, 4)
    .map((part) => part.replace(/^0+(?=.)/, ''))
    .join(':');
}
