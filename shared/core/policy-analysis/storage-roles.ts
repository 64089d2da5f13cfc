// The permissions of the predefined roles that a `storage` credential may have.
// Source: docs.cloud.google.com/iam/docs/roles-permissions/storage.

const FOLDERS_READ = ['storage.folders.get', 'storage.folders.list'];
const MANAGED_READ = ['storage.managedFolders.get', 'storage.managedFolders.list'];
const MULTIPART_WRITE = [
  'storage.multipartUploads.abort',
  'storage.multipartUploads.create',
  'storage.multipartUploads.listParts',
];

const VIEWER = [...FOLDERS_READ, ...MANAGED_READ, 'storage.objects.get', 'storage.objects.list'];
const CREATOR = [
  'storage.folders.create',
  'storage.managedFolders.create',
  ...MULTIPART_WRITE,
  'storage.objects.create',
  'storage.objects.createContext',
];

const PERMISSIONS: Readonly<Record<string, readonly string[]>> = {
  'roles/storage.objectViewer': VIEWER,
  'roles/storage.objectCreator': CREATOR,
  'roles/storage.objectUser': [
    ...VIEWER,
    ...CREATOR,
    'storage.folders.delete',
    'storage.folders.rename',
    'storage.managedFolders.delete',
    'storage.multipartUploads.list',
    'storage.objects.delete',
    'storage.objects.deleteContext',
    'storage.objects.move',
    'storage.objects.restore',
    'storage.objects.update',
    'storage.objects.updateContext',
  ],
  'roles/storage.legacyObjectReader': ['storage.objects.get'],
  'roles/storage.legacyBucketReader': [
    'storage.buckets.get',
    ...FOLDERS_READ,
    ...MANAGED_READ,
    'storage.multipartUploads.list',
    'storage.objects.list',
  ],
  'roles/storage.legacyBucketWriter': [
    'storage.buckets.get',
    ...FOLDERS_READ,
    'storage.folders.create',
    'storage.folders.delete',
    'storage.folders.rename',
    ...MANAGED_READ,
    'storage.managedFolders.create',
    'storage.managedFolders.delete',
    ...MULTIPART_WRITE,
    'storage.multipartUploads.list',
    'storage.objects.create',
    'storage.objects.createContext',
    'storage.objects.delete',
    'storage.objects.list',
    'storage.objects.restore',
    'storage.objects.setRetention',
  ],
};

/**
 * Those for objects, folders and uploads, and for reading the bucket; undefined for a custom role. Those of a project are left out: a
 * token that is narrowed to a bucket has none.
 */
export function permissionsOfStorageRole(role: string): readonly string[] | undefined {
  return PERMISSIONS[role];
}
