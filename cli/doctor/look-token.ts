// Whether the sweep has an API token by which it can look at builds, where conditions of rules are judged by what Buildkite has of a build.

import type { CheckKind } from '../checks/check.ts';
import { conditionsOfBuilds } from '../preflight/api-token.ts';
import { serviceName } from './service.ts';
import type { DoctorTarget } from './target.ts';

type Name = 'api_token_missing';

export const lookToken: CheckKind<DoctorTarget, Name> = {
  name: 'API token for conditions',
  looksAt: 'Whether the deployment has an API token of Buildkite, where rules have an approval or created_by.',
  findings: {
    api_token_missing: {
      severity: 'warning',
      what: 'Rules have {conditions}, and {service} has no API token of Buildkite: buildkite_api_token_version is null.',
      why: 'The sweep cannot look at a build. Where the webhook of an approval, or of who started a build, is lost, the job gets nothing.',
      fix: 'Create a token with read_builds alone at https://buildkite.com/user/api-access-tokens, add it as a version of the secret, and set its number.',
      undo: 'Set buildkite_api_token_version to null again.',
    },
  },
  checksOf: (target) => {
    const conditions = conditionsOfBuilds(target.policy);
    if (conditions.length === 0) return [];
    const service = serviceName(target, 'sweep');
    const facts = { conditions: conditions.join(' and '), service };
    const isMissing = target.deployment.buildkite_api_token_version === null;
    return [
      {
        subject: service,
        look: async () => ({ found: isMissing ? [{ finding: 'api_token_missing' as const, facts }] : [] }),
      },
    ];
  },
};
