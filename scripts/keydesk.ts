// `npm run keydesk`: npm runs it in the repository's root. Paths are relative to the folder in which the person is.

// An archive holds the functions as the sources are now.
if (process.argv[2] === 'package') await import('./build.ts');
process.chdir(process.env.INIT_CWD ?? '.');
await import('../cli/keydesk.ts');
