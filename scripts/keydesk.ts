// `npm run keydesk`: npm runs it in the repository's root. Paths are relative to the folder in which the person is.

process.chdir(process.env.INIT_CWD ?? '.');
await import('../cli/keydesk.ts');
