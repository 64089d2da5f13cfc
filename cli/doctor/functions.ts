// The functions of a deployment, as data: who may call each, by which settings it runs and which secrets it reads. A new function is a new
// entry. deploy/terraform/functions.tf and locals.tf deploy the same.

import { namedTeams } from '../../shared/core/policy/named-teams.ts';
import { hostOf } from './service.ts';
import type { DoctorTarget } from './target.ts';

export interface ExpectedFunction {
  readonly name: string;
  /** `anyone`: the invoker check is off. `scheduler`: its account alone. A setting of the deployment: the members that it names. */
  readonly callers: 'anyone' | 'scheduler' | 'readers' | 'admins';
  /** The module's default, in its words. */
  readonly ingress: Ingress;
  /** Environment variables and their values. */
  readonly settings: (target: DoctorTarget) => Readonly<Record<string, string>>;
  /** Environment variables whose values are in Secret Manager, and the name of the secret behind the prefix. */
  readonly secrets: (target: DoctorTarget) => Readonly<Record<string, string>>;
}

type Ingress = 'INGRESS_TRAFFIC_ALL' | 'INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER' | 'INGRESS_TRAFFIC_INTERNAL_ONLY';

/** As version 1 of Cloud Run's API and gcloud write it. */
export const INGRESS_ANNOTATIONS: Readonly<Record<string, string>> = {
  INGRESS_TRAFFIC_ALL: 'all',
  INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER: 'internal-and-cloud-load-balancing',
  INGRESS_TRAFFIC_INTERNAL_ONLY: 'internal',
};

/**
 * MiB of an instance's memory that are not V8's heap: Node, the code, connections and buffers. All of an instance of `token` is at most
 * 160 MiB after 50,000 tokens (`npm run bench`), so the default of 512Mi has room for 40 requests at once and their responses.
 */
const OUTSIDE_HEAP_MIB = 192;
const LEAST_HEAP_MIB = 128;

/** MiB of the space for what requests leave behind. Node's default of 32 makes an instance 75 MiB larger and nothing quicker. */
const SEMI_SPACE_MIB = 16;

/** V8's limits, which Node would otherwise choose. `node_options` in deploy/terraform/locals.tf is the same. @param memory as in Cloud Run: 512Mi, 1Gi */
export function heapSetting(memory: string): { readonly NODE_OPTIONS: string } {
  const mib = Number.parseInt(memory, 10) * (memory.endsWith('Gi') ? 1024 : 1);
  const heap = Math.max(LEAST_HEAP_MIB, mib - OUTSIDE_HEAP_MIB);
  return { NODE_OPTIONS: `--max-old-space-size=${heap} --max-semi-space-size=${SEMI_SPACE_MIB}` };
}

const common = ({ project, ledgerDatabase }: DoctorTarget) => ({
  NODE_ENV: 'production',
  GOOGLE_CLOUD_PROJECT: project,
  KEYDESK_DATABASE: ledgerDatabase,
});
const proxies = ({ deployment: { trusted_proxies } }: DoctorTarget) =>
  trusted_proxies > 0 ? { KEYDESK_TRUSTED_PROXIES: String(trusted_proxies) } : {};
/** The audiences of people's ID tokens: the function's URL, and the client of gcloud auth print-identity-token. */
const forPeople = (name: string) => (target: DoctorTarget) => ({
  ...common(target),
  KEYDESK_OPERATOR_AUDIENCES: `https://${hostOf(target, name)},32555940559.apps.googleusercontent.com`,
});
const none = () => ({});

export const FUNCTIONS: readonly ExpectedFunction[] = [
  {
    name: 'token',
    callers: 'anyone',
    ingress: 'INGRESS_TRAFFIC_ALL',
    settings: (target) => ({ ...common(target), ...proxies(target), KEYDESK_POLICY: 'policy.yaml' }),
    secrets: none,
  },
  {
    name: 'webhook',
    callers: 'anyone',
    ingress: 'INGRESS_TRAFFIC_ALL',
    settings: (target) => ({ ...common(target), ...proxies(target) }),
    secrets: () => ({ KEYDESK_WEBHOOK_TOKENS: 'webhook-tokens' }),
  },
  {
    name: 'sweep',
    callers: 'scheduler',
    ingress: 'INGRESS_TRAFFIC_INTERNAL_ONLY',
    settings: common,
    secrets: ({ deployment, policy }) => ({
      ...(deployment.buildkite_api_token_version === null
        ? {}
        : { KEYDESK_BUILDKITE_API_TOKEN: 'buildkite-api-token' }),
      ...(deployment.buildkite_teams_api_token_version || namedTeams(policy).teams.length > 0
        ? { KEYDESK_BUILDKITE_TEAMS_API_TOKEN: 'buildkite-teams-api-token' }
        : {}),
    }),
  },
  {
    name: 'reader',
    callers: 'readers',
    ingress: 'INGRESS_TRAFFIC_ALL',
    settings: forPeople('reader'),
    secrets: none,
  },
  {
    name: 'admin',
    callers: 'admins',
    ingress: 'INGRESS_TRAFFIC_ALL',
    settings: forPeople('admin'),
    secrets: none,
  },
];

/** The secrets of a deployment by the function that reads them. */
export const SECRETS = {
  'webhook-tokens': 'webhook',
  'buildkite-api-token': 'sweep',
  'buildkite-teams-api-token': 'sweep',
} as const;
