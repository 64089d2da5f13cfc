// A policy as it is in the file, for the checks of the command line: with the names of pipelines and databases, which a parsed policy
// has replaced.

import { parseDocument } from 'yaml';
import { policySchema, type WrittenPolicy } from './policy.ts';
import { toData } from './yaml-data.ts';

/** @param text of a file that `parsePolicy` accepts */
export function readWrittenPolicy(text: string): WrittenPolicy {
  const expanded = toData(parseDocument(text, { stringKeys: true }));
  if ('problems' in expanded) throw new Error('the text is not the text of a policy');
  return policySchema.parse(expanded.data);
}
