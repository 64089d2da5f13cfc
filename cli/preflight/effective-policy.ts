// An organization policy as it is in effect on a project, with the policies of its folders and its organization.
// Source: docs.cloud.google.com/resource-manager/docs/reference/orgpolicy/rest/v2/projects.policies/getEffectivePolicy.
// Google has evaluated conditions by then. A field that is false may be absent.

import * as z from 'zod';
import type { Google } from '../checks/google.ts';
import { READS } from './needed-permissions.ts';

const policyShape = z.object({
  spec: z
    .object({
      rules: z
        .array(
          z.object({
            enforce: z.boolean().default(false),
            allowAll: z.boolean().default(false),
            denyAll: z.boolean().default(false),
            values: z
              .object({ allowedValues: z.array(z.string()).default([]), deniedValues: z.array(z.string()).default([]) })
              .prefault({}),
            parameters: z.record(z.string(), z.unknown()).default({}),
          }),
        )
        .default([]),
    })
    .prefault({}),
});

export type Rules = z.output<typeof policyShape>['spec']['rules'];

/** @param constraint such as `run.allowedIngress` */
export async function effectiveRules(google: Google, project: string, constraint: string): Promise<Rules> {
  const { spec } = await google.read({
    api: 'orgpolicy.googleapis.com',
    path: `v2/projects/${project}/policies/${constraint}:getEffectivePolicy`,
    shape: policyShape,
    ...READS.policies,
    on: project,
  });
  return spec.rules;
}

export function isEnforced(rules: Rules): boolean {
  return rules.some(({ enforce }) => enforce);
}

/** What a list constraint allows; undefined when it allows every value that it does not deny. */
export function allowedValues(rules: Rules): readonly string[] | undefined {
  if (rules.some(({ denyAll }) => denyAll)) return [];
  const allowed = rules.flatMap(({ values }) => values.allowedValues);
  return allowed.length === 0 || rules.some(({ allowAll }) => allowAll) ? undefined : allowed;
}

export function deniedValues(rules: Rules): readonly string[] {
  return rules.flatMap(({ values }) => values.deniedValues);
}

/**
 * The command that makes an exception from a constraint for {project}. Managed constraints exist in version 2 of the API alone, which
 * `gcloud org-policies` calls. Source: docs.cloud.google.com/resource-manager/docs/organization-policy/using-constraints.
 */
export function exceptionFrom(constraint: string): string {
  return `printf '{name: projects/%s/policies/%s, spec: {rules: [{enforce: false}]}}' {project} ${constraint} > exception.yaml && gcloud org-policies set-policy exception.yaml`;
}
