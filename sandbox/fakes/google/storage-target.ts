// The target of a request to Cloud Storage, from its path alone: the JSON API, its paths for uploads and downloads, and the
// XML API. Knows neither the caller nor the stored objects.
// Source: docs.cloud.google.com/storage/docs/request-endpoints

export interface Target {
  readonly api: 'bucket' | 'storageLayout' | 'objects' | 'object' | 'download' | 'upload' | 'xml';
  readonly bucket: string;
  /** Of the object; empty where there is none. */
  readonly name: string;
}

const APIS: readonly (readonly [Target['api'], RegExp])[] = [
  ['bucket', /^\/storage\/v1\/b\/([^/]+)$/],
  ['storageLayout', /^\/storage\/v1\/b\/([^/]+)\/storageLayout$/],
  ['objects', /^\/storage\/v1\/b\/([^/]+)\/o$/],
  ['object', /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/],
  ['download', /^\/download\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/],
  // The API's definition names /resumable for uploads in pieces; gcloud goes by it.
  ['upload', /^(?:\/resumable)?\/upload\/storage\/v1\/b\/([^/]+)\/o$/],
  ['xml', /^\/([^/]+)\/(.+)$/],
];

/**
 * @param path percent-encoded
 * @param hasBucket which distinguishes a path of the XML API from one of any other API
 */
export function targetOf(path: string, hasBucket: (bucket: string) => boolean): Target | undefined {
  for (const [api, pattern] of APIS) {
    const [, bucket, name = ''] = pattern.exec(path) ?? [];
    if (!bucket || (api === 'xml' && !hasBucket(bucket))) continue;
    return { api, bucket: decodeURIComponent(bucket), name: decodeURIComponent(name) };
  }
  return undefined;
}
