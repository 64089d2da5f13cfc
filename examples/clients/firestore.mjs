// Writes and reads a document over gRPC. FIRESTORE_TLS is set in Keydesk's sandbox only: without it this is Google's Firestore.
import { Firestore } from '@google-cloud/firestore';

const { FIRESTORE_TLS } = process.env;
const firestore = new Firestore(FIRESTORE_TLS ? { host: FIRESTORE_TLS } : {});
await firestore.doc('config/node').set({ replicas: 3 });
console.log((await firestore.doc('config/node').get()).data());
