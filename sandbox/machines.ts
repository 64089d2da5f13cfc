// The identity providers of a policy in the sandbox: the policy in force names fakes in place of the real ones, and machines have the
// claims that its rules demand.

import { parseDocument } from 'yaml';
import type { Policy } from '../shared/core/policy/policy.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { type DeclaredIssuers, startDeclaredIssuers } from './fakes/issuers/declared.ts';

/** @returns issuers of tokens with the claims that the first rule with the provider demands */
export function startMachines({ identityProviders: providers, rules }: Policy): Promise<DeclaredIssuers> {
  const claimsOf = (provider: string) => {
    const agents = rules.flatMap(({ conditions: { agent } }) => (agent?.provider === provider ? [agent] : []));
    const demanded = Object.entries(agents[0]?.claims ?? {});
    return Object.fromEntries(demanded.flatMap(([claim, [value]]) => (value === undefined ? [] : [[claim, value]])));
  };
  return startDeclaredIssuers({ providers, claimsOf, clock: systemClock });
}

/** The text of the policy with the addresses of the fakes. */
export function withFakeIssuers(text: string, providers: readonly string[], machines: DeclaredIssuers): string {
  const document = parseDocument(text);
  for (const provider of providers)
    for (const [key, address] of Object.entries(machines.addressesOf(provider)))
      document.setIn(['identityProviders', provider, key], address);
  return document.toString();
}
