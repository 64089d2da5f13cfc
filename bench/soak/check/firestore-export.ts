// Reads documents of a Firestore emulator as they are stored, over its REST API. Imports nothing of the product.
// Source: firebase.google.com/docs/firestore/reference/rest/v1/projects.databases.documents/list (and get, and Value).

/** A document as the REST API returns it. */
export interface RawDocument {
  readonly name: string;
  readonly fields?: Readonly<Record<string, RawValue>>;
  readonly updateTime?: string;
}

interface RawValue {
  readonly nullValue?: null;
  readonly booleanValue?: boolean;
  readonly integerValue?: string;
  readonly doubleValue?: number;
  readonly timestampValue?: string;
  readonly stringValue?: string;
  readonly bytesValue?: string;
  readonly arrayValue?: { readonly values?: readonly RawValue[] };
  readonly mapValue?: { readonly fields?: Readonly<Record<string, RawValue>> };
}

/** Times are milliseconds since the epoch. */
export type Value = null | boolean | number | string | readonly Value[] | { readonly [name: string]: Value };
export type Fields = Readonly<Record<string, Value>>;

export interface Database {
  readonly host: string;
  readonly project: string;
  readonly database: string;
}

const AS_OWNER = { authorization: 'Bearer owner' };

export async function readCollection(database: Database, collection: string): Promise<RawDocument[]> {
  const documents: RawDocument[] = [];
  let pageToken: string | undefined;
  do {
    const query = new URLSearchParams({ pageSize: '300', ...(pageToken ? { pageToken } : {}) });
    const response = await fetch(`${urlOf(database)}/${collection}?${query}`, { headers: AS_OWNER });
    if (!response.ok) throw new Error(`the emulator returned ${response.status} for the collection ${collection}`);
    const page = (await response.json()) as { documents?: RawDocument[]; nextPageToken?: string };
    documents.push(...(page.documents ?? []));
    pageToken = page.nextPageToken;
  } while (pageToken);
  return documents;
}

/** The names of a database's collections. */
export async function listCollections(database: Database): Promise<string[]> {
  const response = await fetch(`${urlOf(database)}:listCollectionIds`, {
    method: 'POST',
    headers: { ...AS_OWNER, 'content-type': 'application/json' },
    body: '{"pageSize":300}',
  });
  if (!response.ok) throw new Error(`the emulator returned ${response.status} for the list of collections`);
  return ((await response.json()) as { collectionIds?: string[] }).collectionIds ?? [];
}

export async function readDocument(database: Database, path: string): Promise<RawDocument | undefined> {
  const response = await fetch(`${urlOf(database)}/${path}`, { headers: AS_OWNER });
  if (response.status === 404) {
    await response.body?.cancel();
    return undefined;
  }
  if (!response.ok) throw new Error(`the emulator returned ${response.status} for the document ${path}`);
  return (await response.json()) as RawDocument;
}

export function urlOf({ host, project, database }: Database): string {
  return `http://${host}/v1/projects/${project}/databases/${encodeURIComponent(database)}/documents`;
}

export function idOf({ name }: RawDocument): string {
  return decodeURIComponent(name.slice(name.lastIndexOf('/') + 1));
}

export function fieldsOf({ fields = {} }: Pick<RawDocument, 'fields'>): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, decode(value)]));
}

function decode(value: RawValue): Value {
  if (value.timestampValue !== undefined) return Date.parse(value.timestampValue);
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.integerValue !== undefined) return Number(value.integerValue);
  if (value.doubleValue !== undefined) return value.doubleValue;
  if (value.booleanValue !== undefined) return value.booleanValue;
  if (value.bytesValue !== undefined) return value.bytesValue;
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(decode);
  if (value.mapValue !== undefined) return fieldsOf(value.mapValue);
  return null;
}
