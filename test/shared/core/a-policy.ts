// What tests of policies start from: one valid file's data, and that data with one thing changed.

import { type Policy, toPolicy } from '../../../shared/core/policy.ts';

/** @param valid makes the data anew each time */
export function editing<Data>(valid: () => Data) {
  const changed = (change: (data: Data) => void): Data => {
    const data = valid();
    change(data);
    return data;
  };
  const accepted = (change: (data: Data) => void = () => {}): Policy => {
    const result = toPolicy(changed(change));
    if ('problems' in result) throw new Error(JSON.stringify(result.problems));
    return result.policy;
  };
  return { changed, accepted };
}
