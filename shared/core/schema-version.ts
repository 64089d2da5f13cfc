/**
 * The version of stored records. Each record names the version of the release that last wrote it whole. A release that adds a
 * field or a state to a record raises it by one. How releases work side by side: docs/STORAGE.md, "Versions".
 */
export const SCHEMA_VERSION = 1;
