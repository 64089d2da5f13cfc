/**
 * Whether a document can have this id: an id from outside may be none. Source: cloud.google.com/firestore/quotas#collections_documents_and_fields.
 */
export function isDocumentId(id: string): boolean {
  return !/^(\.\.?|__.*__)$|\/|^$/s.test(id) && Buffer.byteLength(id) <= 1500;
}
