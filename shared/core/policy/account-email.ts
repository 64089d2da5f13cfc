// What the e-mail address of a service account tells: the project it belongs to.
// Source: docs.cloud.google.com/iam/docs/service-account-types (user-managed service accounts).

/** A user-managed account. gcp-sa-… are the projects of Google's own service agents, which nobody else can disable. */
export const USER_MANAGED_ACCOUNT =
  /^[a-z][a-z0-9-]{4,28}[a-z0-9]@(?!gcp-sa-)([a-z][a-z0-9-]{4,28}[a-z0-9])((?:\.[a-z0-9-]+)*)\.iam\.gserviceaccount\.com$/;

/**
 * Any service account: a name of Google's lengths, or one of the accounts that Google creates, such as
 * NUMBER-compute@developer.gserviceaccount.com and PROJECT@appspot.gserviceaccount.com.
 */
export const SERVICE_ACCOUNT =
  /^(?:[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9.-]+\.iam|[a-z0-9][a-z0-9.-]*@(?:appspot|cloudbuild|cloudservices|developer))\.gserviceaccount\.com$/;

/**
 * The project ID in a user-managed account's address; undefined when it is another kind of address. A project that
 * belongs to a domain is written `example.com:project` as an ID and `project.example.com` in the address.
 */
export function projectOfAccount(email: string): string | undefined {
  const [, project, domain] = USER_MANAGED_ACCOUNT.exec(email) ?? [];
  if (project === undefined) return undefined;
  return domain ? `${domain.slice(1)}:${project}` : project;
}
