// Environments that matter, and those that matter without a guard.

import type { WrittenPolicy } from '../policy/policy.ts';
import type { PolicyWarning } from './codes.ts';

/** Also eu-prod and production-eu; not pre-prod or non-production. */
const PRODUCTION = /^live$|(?<!(?:^|-)(?:non|pre|not)-)(?<![a-z0-9])(?:prod|production|prd)(?:-|$)/;

type Environment = WrittenPolicy['environments'][string];

/** Whether an environment is one that its policy guards, or that is called production. */
export function isProtected(name: string, guards: Partial<Environment>): boolean {
  return PRODUCTION.test(name) || Object.keys(guards).length > 0;
}

/** Whether an environment is called production, or demands claims of its rules. Other guards are common for staging too. */
export function isCritical(name: string, { require }: Partial<Environment>): boolean {
  return PRODUCTION.test(name) || require !== undefined;
}

export function environmentWarnings({ environments }: WrittenPolicy): PolicyWarning[] {
  return Object.entries(environments).flatMap(([name, { require }]) =>
    PRODUCTION.test(name) && !require
      ? [
          {
            code: 'unguarded_production' as const,
            path: ['environments', name],
            message:
              'has no require, so a rule can grant its credentials to every job of a pipeline. Add require: [pipeline, build_source, step_key].',
          },
        ]
      : [],
  );
}
