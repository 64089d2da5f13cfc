// Decides the next step of a rotation of the webhook's key. Buildkite signs with one key. The function accepts one or two. So the
// function has a key before Buildkite may sign with it, and as long as Buildkite may sign with it. Each step starts from what is there,
// so that a rotation that was interrupted anywhere continues.

export type Goal =
  /** The key at Buildkite is replaced by a new one. */
  | 'rotate'
  /** A rotation that has begun is taken back. */
  | 'abort';

export interface KeyVersion {
  /** Of the secret's version. Higher is newer. */
  readonly number: number;
  readonly keys: readonly string[];
}

export interface KeySituation {
  /** What the running function accepts. */
  readonly running: KeyVersion;
  /** Every enabled version of the secret, in any order. A revision with a disabled version does not start. */
  readonly versions: readonly KeyVersion[];
  /** The key that is saved at Buildkite. */
  readonly saved: string;
  /** Whether Buildkite signs with the saved key and no longer with another one. */
  readonly proven: boolean;
}

export type RotationStep =
  /** Nothing is under way. `rotate` stores a new key now. */
  | { readonly step: 'at_rest' }
  /** Add a version with a new key first, and the saved one second. */
  | { readonly step: 'store_new_key' }
  /** Add a version with this key alone. */
  | { readonly step: 'store_alone'; readonly key: string }
  | { readonly step: 'deploy'; readonly version: KeyVersion }
  /** Disable versions: a deployment of one of them would refuse webhooks, or accept a key that was replaced. */
  | { readonly step: 'disable'; readonly numbers: readonly number[] }
  | { readonly step: 'save_at_buildkite'; readonly key: string }
  /** Wait until a webhook was accepted that this key signed. */
  | { readonly step: 'await_signature'; readonly key: string }
  /** The function has no version with the key that Buildkite signs with. */
  | { readonly step: 'key_unknown' };

export function nextRotationStep(goal: Goal, situation: KeySituation): RotationStep {
  const { running, versions, saved } = situation;
  if (!running.keys.includes(saved)) {
    const [version] = newestFirst(versions).filter(({ keys }) => keys.includes(saved));
    return version ? { step: 'deploy', version } : { step: 'key_unknown' };
  }
  const [newKey, oldKey] = running.keys;
  return newKey === undefined || oldKey === undefined
    ? stepWithOneKey(goal, situation)
    : stepWithTwoKeys(situation, goal === 'rotate' ? newKey : oldKey);
}

/** The function accepts both keys, and `wanted` is the one that stays. */
function stepWithTwoKeys({ running, versions, saved, proven }: KeySituation, wanted: string): RotationStep {
  if (saved !== wanted) {
    // From now on both keys may sign: no deployment of another version may take one of them away.
    const harmful = numbersOf(versions, ({ number, keys }) => {
      return number !== running.number && !running.keys.every((key) => keys.includes(key));
    });
    return harmful.length > 0 ? { step: 'disable', numbers: harmful } : { step: 'save_at_buildkite', key: wanted };
  }
  if (!proven) return { step: 'await_signature', key: wanted };
  const alone = newestFirst(versions).find(({ keys }) => keys.length === 1 && keys[0] === wanted);
  return alone ? { step: 'deploy', version: alone } : { step: 'store_alone', key: wanted };
}

function stepWithOneKey(goal: Goal, { running, versions, saved }: KeySituation): RotationStep {
  const withTwo = versions.filter(({ keys }) => keys.length === 2 && keys.includes(saved));
  const [begun] = newestFirst(withTwo).filter(({ number, keys }) => number > running.number && keys[1] === saved);
  if (goal === 'rotate' && begun) return { step: 'deploy', version: begun };
  const left = numbersOf(withTwo, () => true);
  return left.length > 0 ? { step: 'disable', numbers: left } : { step: 'at_rest' };
}

function newestFirst(versions: readonly KeyVersion[]): readonly KeyVersion[] {
  return [...versions].sort((one, other) => other.number - one.number);
}

function numbersOf(versions: readonly KeyVersion[], isChosen: (version: KeyVersion) => boolean): number[] {
  return versions.filter(isChosen).map(({ number }) => number);
}
