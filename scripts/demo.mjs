// `npm run demo`: plays the story of an uploaded picture.
import { becomeGalley } from './become-galley.mjs';

await becomeGalley(['demo']);
