export { limits } from './limits.js';
export { SendRequest, type Answer } from './sending/send-request.js';
export { TellWebhook } from './sending/tell-webhook.js';
export { Webhooks } from './webhooks.js';
export { WebhooksHttpModule, WebhooksModule } from './webhooks.module.js';
