// What Google knows of what an apply created: an API, a custom role or a service account is known to others only after a wait of 15 seconds
// that began when it was there. No clock: a time_sleep that is long enough counts as that wait, and it takes no time.

const LAG_SECONDS = 15;
/** Projects in which the module creates the accounts; those of others exist already. */
const OWN_ACCOUNT = /@(acme-keydesk|acme-ci-pool)\.iam\.gserviceaccount\.com$/;
/** By the beginning of a resource's type. Resource Manager and Service Usage are enabled by hand. */
const APIS: Readonly<Record<string, string>> = {
  google_apikeys: 'apikeys',
  google_artifact_registry: 'artifactregistry',
  google_cloud_identity: 'cloudidentity',
  google_cloud_run: 'run',
  google_cloud_scheduler: 'cloudscheduler',
  google_firestore: 'firestore',
  google_logging: 'logging',
  google_monitoring: 'monitoring',
  google_org_policy: 'orgpolicy',
  google_project_iam_custom_role: 'iam',
  google_secret_manager: 'secretmanager',
  google_service_account: 'iam',
  google_storage_bucket: 'storage',
};

type State = Readonly<Record<string, unknown>>;

export function createLag() {
  const known = new Map<string, boolean>();
  return {
    /** Google's message, or undefined when everything that the resource needs is known. */
    complaint(type: string, state: State): string | undefined {
      const api = Object.entries(APIS).find(([prefix]) => type.startsWith(prefix))?.[1];
      const project = projectOf(state);
      if (api && project && !known.get(`${project}/${api}.googleapis.com`))
        return `Error 403: ${api}.googleapis.com has not been used in project ${project} before or it is disabled.`;
      const { role, member, members, service_account } = state;
      if (typeof role === 'string' && role.startsWith('projects/') && !known.get(role))
        return `Error 400: Role ${role} does not exist in the resource's hierarchy.`;
      const named = [...(Array.isArray(members) ? members : [member]), service_account].map((each) =>
        String(each).replace(/^serviceAccount:/, ''),
      );
      const unknown = named.find((email) => OWN_ACCOUNT.test(email) && !known.get(email));
      return unknown && `Error 400: Service account ${unknown} does not exist.`;
    },
    created(type: string, state: State): void {
      const created = createdBy(type, state);
      if (created !== undefined && !known.has(created)) known.set(created, false);
    },
    /** What is there when a wait begins is known when it is over. */
    waited(duration: string): void {
      if (Number(duration.replace(/s$/, '')) < LAG_SECONDS) return;
      for (const thing of known.keys()) known.set(thing, true);
    },
  };
}

function projectOf({ project, service_account_id, parent }: State): string | undefined {
  if (typeof project === 'string') return project;
  return /^projects\/([^/]+)/.exec(String(service_account_id ?? parent))?.[1];
}

function createdBy(type: string, { project, service, role_id, account_id }: State): string | undefined {
  switch (type) {
    case 'google_project_service':
      return `${project}/${service}`;
    case 'google_project_iam_custom_role':
      return `projects/${project}/roles/${role_id}`;
    case 'google_service_account':
      return `${account_id}@${project}.iam.gserviceaccount.com`;
    default:
      return undefined;
  }
}
