// What tests of policies start from: one valid file's data, and that data with one thing changed.

import { type Policy, toPolicy } from '../../../shared/core/policy.ts';

// biome-ignore lint/suspicious/noExplicitAny: what a file holds before it is checked, changed at will
export type Data = any;

/** @param valid makes the data anew each time */
export function editing<T>(valid: () => T) {
  const changed = (change: (data: T) => void): T => {
    const data = valid();
    change(data);
    return data;
  };
  const accepted = (change: (data: T) => void = () => {}): Policy => {
    const result = toPolicy(changed(change));
    if ('problems' in result) throw new Error(JSON.stringify(result.problems));
    return result.policy;
  };
  return { changed, accepted };
}
