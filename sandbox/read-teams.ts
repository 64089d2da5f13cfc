// Calls the sweep until it has read every team that the policy names. It learns their names from `token`, which records them after its
// first response.

import { namedTeams } from '../shared/core/policy/named-teams.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { parse } from './curl.ts';
import type { Environment } from './environment.ts';

const PAUSE_MS = 100;
/** Sweeps that read no team, after which none is believed to be read. */
const MAX_IDLE_SWEEPS = 100;

/** Throws when the teams are not read. */
export async function readTeams({ policy, sweep, log }: Pick<Environment, 'policy' | 'sweep' | 'log'>): Promise<void> {
  const wanted = namedTeams(policy).teams.length;
  let read = 0;
  for (let idle = 0; read < wanted; idle += 1) {
    if (idle === MAX_IDLE_SWEEPS) throw new Error(`the sweep has read ${read} of the ${wanted} teams of the policy`);
    await (await fetch(`${sweep.url}/`, { method: 'POST' })).body?.cancel();
    await systemClock.sleep(PAUSE_MS);
    const now = teamsRead(log);
    if (now > read) idle = 0;
    read = now;
  }
}

function teamsRead(log: readonly string[]): number {
  const lines = log.filter((line) => line.includes('"teams.read"')).map(parse);
  return lines.reduce((sum, { teams_read }) => sum + Number(teams_read), 0);
}
