// What a million grants cost, computed: Firestore's operations as they are counted, and the processor time that this run measured.

import { BUSY_ISSUE_READS, GRANT_COSTS, PRICES } from '../scripts/docs/grant-costs.ts';
import { figures, row, title } from './measure.ts';

/** Dollars, request-based billing in a region of tier 1: cloud.google.com/run/pricing. */
const VCPU_SECOND = 0.000024;
const GIB_SECOND = 0.0000025;
const MILLION_REQUESTS = 0.4;
const GIB = 0.5;
const MILLION = 1_000_000;

const SECTIONS = {
  firestore: 'firestore',
  'shared account': 'shared account',
  'shared account, narrowed': 'storage',
} as const;

export function benchCost(): void {
  title('Cost of a million grants, each of one job: computed');
  for (const [kind, name] of Object.entries(SECTIONS) as [keyof typeof SECTIONS, string][]) {
    const { issue, end, sweep } = GRANT_COSTS[kind];
    const reads = BUSY_ISSUE_READS + end[0] + sweep[0];
    const writes = issue[1] + end[1] + sweep[1];
    const deletions = kind === 'firestore' ? 3 : 2;
    row(`${kind}: Firestore`, reads * PRICES.read + writes * PRICES.write + deletions * PRICES.deletion, '$');
    // Alone on its instance, a request is billed for as long as it takes; here only the service's own part is known.
    const seconds = processorOf(`Warm token of a ${name} credential`, '1 at once: processor time') / 1000;
    const run = MILLION * seconds * (VCPU_SECOND + GIB * GIB_SECOND) + 2 * MILLION_REQUESTS;
    row(
      `${kind}: Cloud Run, at full use of an instance`,
      run,
      '$',
      'and the time that requests wait for Google, if few come at once',
    );
  }
}

function processorOf(section: string, label: string): number {
  const found = figures.find((figure) => figure.section === section && figure.label === label);
  if (!found) throw new Error(`${section}, ${label} was not measured`);
  return found.value;
}
