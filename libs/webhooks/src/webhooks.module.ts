import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/platform';
import { SecretValues } from './secret-values.js';
import { SendRequest } from './sending/send-request.js';
import { TellWebhook } from './sending/tell-webhook.js';
import { WebhooksController } from './webhooks.controller.js';
import { Webhooks } from './webhooks.js';

const sendRequest = {
  provide: SendRequest,
  inject: [CONFIG],
  useFactory: (config: Config) => new SendRequest(config.functions.privateHosts),
};

/** Webhooks, for every program; {@link WebhooksHttpModule} adds what a server answers about them. */
@Module({})
export class WebhooksModule {
  /** @param secrets what is injectable everywhere and knows the project's secrets */
  static with(secrets: Type<SecretValues>): DynamicModule {
    return {
      module: WebhooksModule,
      providers: [sendRequest, TellWebhook, Webhooks, { provide: SecretValues, useExisting: secrets }],
      exports: [SendRequest, TellWebhook, Webhooks],
    };
  }
}

@Module({})
export class WebhooksHttpModule {
  /** @param secrets as {@link WebhooksModule.with} */
  static with(secrets: Type<SecretValues>): DynamicModule {
    return {
      module: WebhooksHttpModule,
      imports: [WebhooksModule.with(secrets)],
      controllers: [WebhooksController],
    };
  }
}
