// One measurement of the ledger's client in a process of its own; prints it as JSON.

const begun = performance.now();
const { Firestore } = await import('@google-cloud/firestore');
const { PassThroughClient } = await import('google-auth-library');
const rest = process.argv[2] === 'rest';
const database = new Firestore({
  projectId: 'keydesk-bench',
  databaseId: 'transport',
  preferRest: rest,
  ...(rest ? { authClient: new PassThroughClient() } : {}),
});

async function transact(round: number): Promise<number> {
  const started = performance.now();
  await database.runTransaction(async (transaction) => {
    const document = database.collection('transport').doc(`round-${round}`);
    await transaction.get(document);
    transaction.set(document, { round });
  });
  return performance.now() - started;
}

await transact(0);
const first = performance.now() - begun;
const times: number[] = [];
for (let round = 1; round <= 100; round += 1) times.push(await transact(round));
times.sort((left, right) => left - right);
const memory = process.memoryUsage().rss / 1024 / 1024;
process.stdout.write(JSON.stringify({ first, warm: times[50], memory }));
process.exit(0);
