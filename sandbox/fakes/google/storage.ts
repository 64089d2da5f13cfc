// A Cloud Storage small enough for a laptop: of its JSON API what reads, lists, stores and deletes objects, and of its XML
// API the reading, which is how Go's client reads. Remembers what it does not know instead of guessing. What a token may
// do is decided elsewhere.
// Sources: docs.cloud.google.com/storage/docs/json_api/v1; docs.cloud.google.com/storage/docs/xml-api/get-object-download.

import type { Clock } from '../../../shared/runtime/clock.ts';
import type { LocalRequest, LocalResponse } from '../../local-server.ts';
import type { Permission } from './boundary.ts';
import { mismatches } from './checksums.ts';
import { storageError } from './error.ts';
import { type StoredObject, toResource } from './object.ts';
import { Objects } from './objects.ts';
import { type AccessJudge, judgeOf } from './storage-access.ts';
import { toMedia, toXmlError } from './storage-media.ts';
import type { Target } from './storage-target.ts';
import type { Tokens } from './tokens.ts';
import { type Admit, type Upload, Uploads } from './upload.ts';

interface StorageRequest extends Target {
  readonly request: LocalRequest;
  readonly judge: AccessJudge;
}

const NOT_FOUND = storageError(404, 'notFound', 'Not Found');
const NO_BUCKET = storageError(404, 'notFound', 'The specified bucket does not exist.');

/** Preconditions that the real one knows, too; to overlook one would be to overwrite what the client meant to keep. */
const NOT_HERE = ['ifGenerationNotMatch', 'ifMetagenerationMatch', 'ifMetagenerationNotMatch'];

export class CloudStorage {
  readonly objects: Objects;
  readonly #uploads: Uploads;
  readonly #tokens: Tokens;
  readonly #unexpected: string[];

  constructor(buckets: readonly string[], tokens: Tokens, clock: Clock, unexpected: string[]) {
    this.objects = new Objects(buckets, clock);
    this.#tokens = tokens;
    this.#unexpected = unexpected;
    this.#uploads = new Uploads(unexpected);
  }

  respond(target: Target, request: LocalRequest, accessToken: string): LocalResponse {
    const storageRequest = { ...target, request, judge: judgeOf(this.#tokens, accessToken, this.#unexpected) };
    const notHere = NOT_HERE.find((condition) => request.query.has(condition));
    if (notHere) {
      this.#unexpected.push(`${request.method} ${request.path} with ${notHere}`);
      return storageError(400, 'invalid', `${notHere} is not known here.`);
    }
    switch (`${request.method} ${target.api}`) {
      case 'GET bucket':
        // No role for objects is enough for it, so it is always refused.
        return this.#refusal(storageRequest, 'storage.buckets.get') ?? NOT_FOUND;
      case 'GET storageLayout':
        return (
          this.#refusal(storageRequest, 'storage.objects.list', request.query.get('prefix') ?? '') ?? toLayout(target)
        );
      case 'GET objects':
        return this.#list(storageRequest);
      case 'GET object':
        return this.#read(storageRequest, request.query.get('alt') === 'media' ? toMedia : toJson);
      case 'GET download':
        return this.#read(storageRequest, toMedia);
      case 'GET xml':
      case 'HEAD xml':
        return toXmlError(this.#read(storageRequest, toMedia));
      case 'DELETE object':
        return this.#delete(storageRequest);
      case 'POST upload':
        return this.#uploads.begin(request, this.#admitting(storageRequest));
      case 'PUT upload':
        return this.#uploads.resume(request);
      default:
        this.#unexpected.push(`${request.method} ${request.path}`);
        return NOT_FOUND;
    }
  }

  #refusal(
    { bucket, name, judge }: StorageRequest,
    permission: Permission,
    listPrefix = '',
  ): LocalResponse | undefined {
    const refusal = judge({ permission, bucket, name: name === '' ? undefined : name, listPrefix });
    return refusal ?? (this.objects.hasBucket(bucket) ? undefined : NO_BUCKET);
  }

  #list(storageRequest: StorageRequest): LocalResponse {
    const { query } = storageRequest.request;
    const prefix = query.get('prefix') ?? '';
    const refusal = this.#refusal(storageRequest, 'storage.objects.list', prefix);
    if (refusal) return refusal;
    const maxResults = Number(query.get('maxResults') ?? Number.POSITIVE_INFINITY);
    if (!(maxResults >= 1)) return storageError(400, 'invalid', 'Invalid maxResults.');
    const { items, prefixes, nextPageToken } = this.objects.list(storageRequest.bucket, {
      prefix,
      delimiter: query.get('delimiter') ?? '',
      maxResults,
      pageToken: query.get('pageToken') ?? '',
    });
    const json = {
      kind: 'storage#objects',
      ...(nextPageToken && { nextPageToken }),
      ...(prefixes.length > 0 && { prefixes }),
      ...(items.length > 0 && { items: items.map((object) => toResource(object, originOf(storageRequest.request))) }),
    };
    return { status: 200, json };
  }

  #read(
    storageRequest: StorageRequest,
    tell: (object: StoredObject, request: LocalRequest) => LocalResponse,
  ): LocalResponse {
    const refusal = this.#refusal(storageRequest, 'storage.objects.get');
    if (refusal) return refusal;
    const object = this.#find(storageRequest);
    return 'refusal' in object ? object.refusal : tell(object, storageRequest.request);
  }

  #delete(storageRequest: StorageRequest): LocalResponse {
    const refusal = this.#refusal(storageRequest, 'storage.objects.delete');
    if (refusal) return refusal;
    const object = this.#find(storageRequest);
    if ('refusal' in object) return object.refusal;
    this.objects.delete(object.bucket, object.name);
    return { status: 204, text: '' };
  }

  /**
   * The object, of the requested generation. Every caller that may get it receives 404 when there is none. The real Cloud
   * Storage is documented to return 403 to callers that may not list. How it treats the boundary of a prefix is not known.
   */
  #find({ bucket, name, request }: StorageRequest): StoredObject | { readonly refusal: LocalResponse } {
    const object = this.objects.get(bucket, name);
    const generation = request.query.get('generation');
    if (!object || (generation !== null && generation !== String(object.generation)))
      return { refusal: storageError(404, 'notFound', `No such object: ${bucket}/${name}`) };
    const refusal = failedPrecondition(request, object);
    return refusal ? { refusal } : object;
  }

  #admitting(storageRequest: StorageRequest): Admit {
    return (name) => {
      const accessRequest = { ...storageRequest, name };
      const refusal = this.#refusal(accessRequest, 'storage.objects.create');
      if (refusal) return { refusal };
      // Judged now: what comes in pieces may be complete when the token that began it has ended.
      const noReplacing = this.#refusal(accessRequest, 'storage.objects.delete');
      const check = () => {
        const existing = this.objects.get(storageRequest.bucket, name);
        return failedPrecondition(storageRequest.request, existing) ?? (existing && noReplacing);
      };
      const refused = check();
      if (refused) return { refusal: refused };
      return { store: (upload) => check() ?? this.#store(upload, storageRequest) };
    };
  }

  #store({ name, content, described, checksums }: Upload, { bucket, request }: StorageRequest): LocalResponse {
    const [first, ...others] = mismatches(content, checksums);
    if (first !== undefined) return storageError(400, 'invalid', first, ...others);
    return toJson(this.objects.put(bucket, name, { content, described }), request);
  }
}

/** The layout of a bucket. gcloud requests it before it copies folders, and continues with any response. */
function toLayout({ bucket }: Target): LocalResponse {
  const json = { kind: 'storage#storageLayout', bucket, location: 'US', locationType: 'multi-region' };
  return { status: 200, json: { ...json, hierarchicalNamespace: { enabled: false } } };
}

function toJson(object: StoredObject, request: LocalRequest): LocalResponse {
  return { status: 200, json: toResource(object, originOf(request)) };
}

function originOf({ headers }: LocalRequest): string {
  return `http://${headers.host}`;
}

/** 0 is the generation of what is not there. */
function failedPrecondition({ query }: LocalRequest, object: StoredObject | undefined): LocalResponse | undefined {
  const wanted = query.get('ifGenerationMatch');
  if (wanted === null || wanted === String(object?.generation ?? 0)) return undefined;
  return storageError(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.');
}
