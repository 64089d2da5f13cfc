// Writes and reads an object of Cloud Storage. STORAGE is set in Keydesk's sandbox only: without it this is Google's.
import { Storage } from '@google-cloud/storage';

const { STORAGE } = process.env;
const storage = new Storage(STORAGE ? { apiEndpoint: STORAGE, useAuthWithCustomEndpoint: true } : {});
const file = storage.bucket('acme-ci-cache').file('warm/node');
await file.save('warm', { resumable: false });
console.log(String(await file.download()));
