// `npm start -- --approvals`: the people and machines behind a build, in scenes with real curl. Each step compares the response with the
// expected one.

import type { Environment } from '../environment.ts';
import { type Step, Steps } from '../steps.ts';
import { playBreakGlass } from './break-glass.ts';
import { Play } from './play.ts';
import { playProduction } from './production.ts';
import { playMachine, playTeam } from './staging.ts';

/** Plays all scenes; calls `onStep` after each step. @returns whether all steps passed */
export async function runApprovals(environment: Environment, onStep: (step: Step) => void): Promise<boolean> {
  const steps = new Steps(onStep);
  const play = new Play(environment, steps);
  await playProduction(play);
  await playTeam(play);
  await playMachine(play);
  await playBreakGlass(play);
  return steps.succeeded;
}
