// Sets one field of a document with Google's own client. It finds its credential in GOOGLE_APPLICATION_CREDENTIALS, which
// the plugin sets, and requests new tokens by itself for as long as the step runs. node push-config.mjs PATH FIELD NUMBER
import { Firestore } from '@google-cloud/firestore';

const [path, field, value] = process.argv.slice(2);
const firestore = new Firestore({ projectId: 'acme-staging', preferRest: true });
await firestore.doc(path).set({ [field]: Number(value) }, { merge: true });
console.log(`${path}: ${JSON.stringify((await firestore.doc(path).get()).data())}`);
