// What Google or its provider refuses about what was there before: the ID of a deleted API key, a bucket whose name is taken or that still holds
// objects, a field whose operations wait on each other.
// Source: the provider at 7.46 (services/storage, services/firestore); cloud.google.com/api-keys/docs (keys.delete, keys.undelete).

type State = Readonly<Record<string, unknown>>;

export function createRefusals() {
  const keys = new Set<string>();
  const buckets = new Set<string>();
  return {
    /** Google's message, or undefined when the change is made. @param prior null when it is created @param planned null when it is deleted */
    complaint(type: string, prior: State | null, planned: State | null): string | undefined {
      if (type === 'google_apikeys_key' && planned && !prior) {
        const name = toName(planned);
        if (keys.has(name)) return `Error 409: Requested entity already exists: ${name}`;
        keys.add(name);
      }
      if (type === 'google_storage_bucket' && planned && !prior) {
        const name = toName(planned);
        if (buckets.has(name))
          return 'Error 409: Your previous request to create the named bucket succeeded and you already own it.';
        buckets.add(name);
      }
      if (type === 'google_storage_bucket' && prior && !planned) {
        const name = toName(prior);
        if (!prior.force_destroy) return `Error trying to delete bucket ${name} without \`force_destroy\` set to true`;
        buckets.delete(name);
      }
      if (type === 'google_firestore_field' && prior && !planned && prior.deletion_policy !== 'ABANDON')
        return 'Error 409: Too much contention on these documents. Please try again.';
      return undefined;
    },
  };
}

function toName({ project, name }: State): string {
  return `${project}/${name}`;
}
