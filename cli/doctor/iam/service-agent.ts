// The accounts by which services of Google act by themselves. An address alone proves nothing: anybody can create an account called
// service-1234567 in a project of their own. So the domain must be one of Google's, and the number must be of a project of the deployment.
// Source: docs.cloud.google.com/iam/docs/service-agents.

import type { DoctorTarget } from '../target.ts';

const AGENT = /^serviceAccount:service-([0-9]+)@([a-z0-9.-]+)\.iam\.gserviceaccount\.com$/;
const APIS_AGENT = /^serviceAccount:([0-9]+)@cloudservices\.gserviceaccount\.com$/;

/** Projects of Google from before it named them gcp-sa-SERVICE. */
const OLDER_DOMAINS: ReadonlySet<string> = new Set([
  'cloud-cdn-fill',
  'cloud-filer',
  'cloud-memcache-sa',
  'cloud-ml.google.com',
  'cloud-redis',
  'cloud-tpu',
  'cloudcomposer-accounts',
  'compute-system',
  'container-engine-robot',
  'containerregistry',
  'dataflow-service-producer-prod',
  'dataproc-accounts',
  'dlp-api',
  'endpoints-portal',
  'firebase-rules',
  'gae-api-prod.google.com',
  'gcf-admin-robot',
  'gs-project-accounts',
  'serverless-robot-prod',
  'service-consumer-management',
  'service-networking',
  'sourcerepo-service-accounts',
]);

/** A role that Google grants to a service agent. A custom role can have such a name too. */
const AGENT_ROLE = /^roles\/[a-z0-9.]+serviceAgent$/i;

/** Whether it acts for a project of the deployment. An agent of another project does what people of that project ask of it. */
export function isServiceAgent({ numbers }: DoctorTarget, member: string): boolean {
  const [, number = APIS_AGENT.exec(member)?.[1], domain] = AGENT.exec(member) ?? [];
  const isOfGoogle = domain === undefined || /^gcp-sa-[a-z0-9-]+$/.test(domain) || OLDER_DOMAINS.has(domain);
  return isOfGoogle && number !== undefined && Object.values(numbers).includes(number);
}

export function isAgentRole(role: string): boolean {
  return AGENT_ROLE.test(role);
}
