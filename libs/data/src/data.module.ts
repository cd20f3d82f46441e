import { Module } from '@nestjs/common';
import { RestController } from './rest/rest.controller.js';
import { RestConfiguration } from './settings/rest-configuration.js';

/** The data API: `/rest/v1`. */
@Module({ controllers: [RestController], providers: [RestConfiguration] })
export class DataModule {}
