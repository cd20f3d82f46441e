// `npm start [-- path/to/project]`: installs and builds what is missing, then becomes the server.
import { resolve } from 'node:path';
import { becomeGalley } from './become-galley.mjs';

const path = process.argv[2];
const startedIn = process.env.INIT_CWD ?? process.cwd();
await becomeGalley(['start', ...(path === undefined ? [] : [resolve(startedIn, path)])]);
