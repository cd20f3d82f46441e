export { SendRequest, type Answer } from './sending/send-request.js';
export { limits } from './limits.js';
