// Which accounts and databases a policy may name, given where the desk is: none that would let one identity act as another.
// The Terraform module refuses the same. Pure.

import { projectOfAccount } from '../../shared/core/account-name.ts';
import type { Credential, StorageBoundary } from '../../shared/core/credential.ts';
import type { Policy } from '../../shared/core/policy.ts';
import type { PolicyProblem } from '../../shared/core/policy-problem.ts';

export interface Desk {
  readonly project: string;
  /** The ledger's. */
  readonly database: string;
}

export interface NamedAccount {
  readonly use: 'signer' | 'shared' | 'pooled';
  readonly email: string;
  readonly environment: string;
  /** What its tokens are narrowed to. */
  readonly storage: StorageBoundary | null;
  /** Where the policy names it. */
  readonly path: PolicyProblem['path'];
}

/** Every account that the policy names, in its order. */
export function accountsOf(policy: Policy): NamedAccount[] {
  return Object.entries(policy.credentials).flatMap(([name, credential]) =>
    accountsOfCredential(credential).map((account) => ({
      ...account,
      environment: credential.environment,
      path: ['credentials', name, ...account.path],
    })),
  );
}

function accountsOfCredential(credential: Credential): Omit<NamedAccount, 'environment'>[] {
  switch (credential.kind) {
    case 'firestore':
      return [{ use: 'signer', email: credential.signer, storage: null, path: ['firestore', 'signer'] }];
    case 'service_account': {
      const { email, storage } = credential;
      return [
        { use: 'shared', email, storage, path: storage ? ['storage', 'serviceAccount'] : ['serviceAccount', 'email'] },
      ];
    }
    case 'pooled_service_account': {
      const { pool, storage } = credential;
      const kind = storage ? 'storage' : 'serviceAccount';
      return pool.map((email, at) => ({ use: 'pooled', email, storage, path: [kind, 'pool', at] }));
    }
  }
}

/**
 * What may not stand where it stands. A default account that is called after its project's number cannot be told from here:
 * deploy.sh asks Google whose it is.
 */
export function placementProblems(policy: Policy, desk: Desk): PolicyProblem[] {
  const accounts = accountsOf(policy);
  const pools = new Set(accounts.flatMap(({ use, email }) => (use === 'pooled' ? [projectIn(email)] : [])));
  const opened = new Set(
    Object.values(policy.credentials).flatMap((each) => (each.kind === 'firestore' ? [each.project] : [])),
  );
  return [
    ...accounts.flatMap(({ use, email, path }) => {
      const project = projectIn(email);
      const problem =
        use === 'pooled' ? poolProblem(project, desk, opened) : standingProblem(email, project, desk, pools);
      return problem ? [{ path, message: problem }] : [];
    }),
    ...Object.entries(policy.credentials).flatMap(([name, credential]) =>
      credential.kind === 'firestore' && credential.project === desk.project && credential.database === desk.database
        ? [{ path: ['credentials', name, 'firestore'], message: "opens the ledger's own database" }]
        : [],
    ),
  ];
}

function standingProblem(email: string, project: string | undefined, desk: Desk, pools: ReadonlySet<unknown>) {
  if (project === undefined) return undefined;
  if (project === desk.project)
    return `${email} is in the desk's project: whoever mints for it could act as the desk. Name an account of the project that jobs work on`;
  if (pools.has(project))
    return `${email} is in a pool's project, ${project}: whoever mints for it could act for another job, or wake its account. Name an account of the project that jobs work on`;
  return undefined;
}

function poolProblem(project: string | undefined, desk: Desk, opened: ReadonlySet<unknown>) {
  const own = 'pooled accounts need a project of their own, and nothing else in it';
  if (project === desk.project) return `is in the desk's project: ${own}`;
  if (opened.has(project)) return `is in ${project}, whose Firestore the policy opens: ${own}`;
  return undefined;
}

/** As far as the address tells it. App Engine's default account is called after its project too. */
function projectIn(email: string): string | undefined {
  return projectOfAccount(email) ?? /^([a-z0-9-]+)@appspot\.gserviceaccount\.com$/.exec(email)?.[1];
}
