export { DataModule } from './data.module.js';
export { RestErrorFilter } from './rest/rest-error.filter.js';
