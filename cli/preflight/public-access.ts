// Whether organization policies let jobs and Buildkite call `token` and `webhook` without a Google identity.
// Sources: docs.cloud.google.com/run/docs/authenticating/public; docs.cloud.google.com/resource-manager/docs/organization-policy/restricting-domains.

import * as z from 'zod';
import type { CheckKind } from '../checks/check.ts';
import {
  allowedValues,
  deniedValues,
  effectiveRules,
  exceptionFrom,
  isEnforced,
  type Rules,
} from './effective-policy.ts';
import type { Target } from './target.ts';

const REQUIRE_CHECK = 'run.managed.requireInvokerIam';
const DOMAINS = 'iam.allowedPolicyMemberDomains';
const MEMBERS = 'iam.managed.allowedPolicyMembers';
const INGRESS = 'run.allowedIngress';
/** Everybody, as the managed constraint names them. */
const EVERYBODY = ['allUsers', 'principalSet://goog/public:all'];

const memberLists = z.object({
  allowedMemberSubjects: z.array(z.string()).default([]),
  allowedPrincipalSets: z.array(z.string()).default([]),
});

interface AccessRules {
  readonly requireCheck: Rules;
  readonly domains: Rules;
  readonly members: Rules;
}

type AccessName = 'public_access_forbidden' | 'invoker_check_required';

export const publicAccess: CheckKind<Target, AccessName> = {
  name: 'public access',
  looksAt: `Whether organization policies allow a service without the invoker check (\`${REQUIRE_CHECK}\`), or \`allUsers\` as its invoker (\`${DOMAINS}\`, \`${MEMBERS}\`).`,
  findings: {
    public_access_forbidden: {
      severity: 'error',
      what: 'Organization policies on {project} forbid both ways of public access: {constraints}.',
      why: 'Jobs and Buildkite have no Google identity. Cloud Run answers them with 403.',
      fix: `Ask your organization's administrators for an exception for {project}: ${exceptionFrom(REQUIRE_CHECK)}`,
    },
    invoker_check_required: {
      severity: 'error',
      what: `${REQUIRE_CHECK} is enforced on {project}.`,
      why: 'The invoker check cannot be disabled, so the apply of the functions fails. Nothing forbids allUsers as invoker.',
      fix: `Ask for an exception for {project}: ${exceptionFrom(REQUIRE_CHECK)}. Or set public_access = "all_users", and accept this finding.`,
    },
  },
  checksOf: ({ project }) => [
    {
      subject: project,
      look: async (google) => {
        const [requireCheck, domains, members] = await Promise.all(
          [REQUIRE_CHECK, DOMAINS, MEMBERS].map((constraint) => effectiveRules(google, project, constraint)),
        );
        return judgeAccess(project, {
          requireCheck: requireCheck ?? [],
          domains: domains ?? [],
          members: members ?? [],
        });
      },
    },
  ],
};

function judgeAccess(project: string, { requireCheck, domains, members }: AccessRules) {
  const against = [
    ...(allowedValues(domains) === undefined ? [] : [DOMAINS]),
    ...(forbidsEverybody(members) ? [MEMBERS] : []),
  ];
  if (!isEnforced(requireCheck))
    return {
      found: [],
      detail: `the invoker check can be disabled${against.length > 0 ? '; allUsers is forbidden, and not needed' : ''}`,
    };
  if (against.length === 0) return { found: [{ finding: 'invoker_check_required' as const, facts: { project } }] };
  const constraints = [REQUIRE_CHECK, ...against].join(', ');
  return { found: [{ finding: 'public_access_forbidden' as const, facts: { project, constraints } }] };
}

function forbidsEverybody(rules: Rules): boolean {
  if (!isEnforced(rules)) return false;
  return !rules.some(({ parameters }) => {
    const { data } = memberLists.safeParse(parameters);
    const allowed = [...(data?.allowedMemberSubjects ?? []), ...(data?.allowedPrincipalSets ?? [])];
    return allowed.some((member) => EVERYBODY.includes(member));
  });
}

type IngressName = 'ingress_restricted';

export const ingress: CheckKind<Target, IngressName> = {
  name: 'ingress',
  looksAt: `Whether an organization policy allows requests from the internet (\`${INGRESS}\`).`,
  findings: {
    ingress_restricted: {
      severity: 'error',
      what: `${INGRESS} on {project} does not allow "all". It allows: {allowed}.`,
      why: 'The apply of the functions fails. Buildkite sends its webhooks from the internet.',
      fix: 'Set ingress of token_function and webhook_function to the value for internal traffic and load balancers, and create a load balancer. Or ask for an exception for {project}.',
      undo: 'Set the former ingress, or remove the exception.',
    },
  },
  checksOf: ({ project }) => [
    {
      subject: project,
      look: async (google) => ({ found: judgeIngress(project, await effectiveRules(google, project, INGRESS)) }),
    },
  ],
};

function judgeIngress(project: string, rules: Rules) {
  const isAll = (value: string) => value === 'all' || value === 'is:all';
  const allowed = allowedValues(rules);
  if ((allowed === undefined || allowed.some(isAll)) && !deniedValues(rules).some(isAll)) return [];
  const named = allowed?.join(', ') || 'nothing';
  return [{ finding: 'ingress_restricted' as const, facts: { project, allowed: named } }];
}
