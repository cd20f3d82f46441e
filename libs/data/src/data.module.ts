import { Module } from '@nestjs/common';
import { RestController } from './rest/rest.controller.js';
import { TypesController } from './types/types.controller.js';
import { RestConfiguration } from './settings/rest-configuration.js';

/** The data API: `/rest/v1`, and the types of what it shows. */
@Module({ controllers: [RestController, TypesController], providers: [RestConfiguration] })
export class DataModule {}
