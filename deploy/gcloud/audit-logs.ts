// `node deploy/gcloud/audit-logs.ts [--missing] SERVICE...`: a project's IAM policy in (JSON, standard input), and out the same with
// the Data Access logs of these services switched on; with --missing only the services that lack any. Everything else in
// the policy, its etag included, stays as it is. Source: cloud.google.com/logging/docs/audit/configure-data-access.

import { readFileSync } from 'node:fs';
import * as z from 'zod';

/** Minting is ADMIN_READ; documents are read by DATA_READ and written by DATA_WRITE. */
const TYPES = ['ADMIN_READ', 'DATA_READ', 'DATA_WRITE'] as const;
const ALL_SERVICES = 'allServices';

const auditConfig = z.looseObject({
  service: z.string(),
  auditLogConfigs: z.array(z.looseObject({ logType: z.string() })).default([]),
});
const policySchema = z.looseObject({ etag: z.string(), auditConfigs: z.array(auditConfig).default([]) });
type Policy = z.output<typeof policySchema>;

const [first, ...rest] = process.argv.slice(2);
const onlyMissing = first === '--missing';
const services = onlyMissing || first === undefined ? rest : [first, ...rest];
const policy = policySchema.parse(JSON.parse(readFileSync(0, 'utf8')));
if (onlyMissing)
  process.stdout.write(services.flatMap((name) => (missing(policy, name).length > 0 ? [`${name}\n`] : [])).join(''));
else process.stdout.write(`${JSON.stringify(services.reduce(withLogs, policy), null, 2)}\n`);

/** What is on for all services is on for each. */
function missing(policy: Policy, service: string): string[] {
  const on = policy.auditConfigs.flatMap((config) =>
    [service, ALL_SERVICES].includes(config.service) ? config.auditLogConfigs.map(({ logType }) => logType) : [],
  );
  return TYPES.filter((type) => !on.includes(type));
}

function withLogs(policy: Policy, service: string): Policy {
  const added = missing(policy, service).map((logType) => ({ logType }));
  if (added.length === 0) return policy;
  const there = policy.auditConfigs.some((config) => config.service === service);
  const auditConfigs = there
    ? policy.auditConfigs.map((config) =>
        config.service === service ? { ...config, auditLogConfigs: [...config.auditLogConfigs, ...added] } : config,
      )
    : [...policy.auditConfigs, { service, auditLogConfigs: added }];
  return { ...policy, auditConfigs };
}
