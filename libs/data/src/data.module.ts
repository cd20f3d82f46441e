import { Module } from '@nestjs/common';
import { RestController } from './rest/rest.controller.js';

/** The data API: `/rest/v1`. */
@Module({ controllers: [RestController] })
export class DataModule {}
