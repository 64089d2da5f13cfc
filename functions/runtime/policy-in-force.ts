// The policy by which `token` decides, as it is in the ledger.

import { parsePolicy } from '../../shared/core/policy/parse-yaml.ts';
import type { Policy } from '../../shared/core/policy/policy.ts';
import type { DeploymentLedger } from '../../shared/operations/ports.ts';

/** Undefined where the ledger does not have it, or this version cannot read it. Throws DependencyError. */
export async function policyInForce(
  deploymentLedger: Pick<DeploymentLedger, 'deployments' | 'policy'>,
): Promise<Policy | undefined> {
  const { deployments } = await deploymentLedger.deployments();
  const token = deployments.find((deployment) => deployment.function === 'token');
  const stored = token?.function === 'token' ? await deploymentLedger.policy(token.policy_sha256) : undefined;
  const parsed = stored && parsePolicy(stored.text, 'policy');
  return parsed && 'policy' in parsed ? parsed.policy : undefined;
}
