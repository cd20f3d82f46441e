import { Module } from '@nestjs/common';
import { join } from 'node:path';
import { CONFIG, Sealer, type Config } from '#libs/platform';
import { BucketsController } from './buckets/buckets.controller.js';
import { FileObjectBytes } from './bytes/file-bytes.js';
import { ObjectBytes } from './bytes/object-bytes.js';
import { S3ObjectBytes } from './bytes/s3-bytes.js';
import { ObjectsController } from './objects/objects.controller.js';
import { ReadsController } from './objects/reads.controller.js';
import { UploadsController } from './objects/uploads.controller.js';
import { PicturesController } from './pictures/pictures.controller.js';
import { PictureRenderer } from './pictures/picture-renderer.js';
import { SendPicture } from './pictures/send-picture.js';
import { SigningController } from './signing/signing.controller.js';
import { ProjectGauges } from '#libs/usage';
import { bytesStored } from './objects/objects.sql.js';
import { UnsupportedController } from './unsupported.controller.js';

/** Where bytes are kept, for every program; {@link StorageModule} adds what a server answers. */
@Module({
  providers: [{ provide: ObjectBytes, useFactory: openObjectBytes, inject: [CONFIG, Sealer] }],
  exports: [ObjectBytes],
})
export class ObjectBytesModule {}

/** Buckets, objects and pictures: `/storage/v1`. */
@Module({
  controllers: [
    BucketsController,
    SigningController,
    ObjectsController,
    UploadsController,
    ReadsController,
    PicturesController,
    UnsupportedController,
  ],
  imports: [ObjectBytesModule],
  providers: [PictureRenderer, SendPicture],
})
export class StorageModule {
  constructor(gauges: ProjectGauges) {
    gauges.add('bytes_stored', ({ database }) => bytesStored(database));
  }
}

/** Only configuration chooses: S3 where it is set, else files under the data directory. */
export function openObjectBytes(config: Pick<Config, 's3' | 'dataDir'>, sealer: Sealer): ObjectBytes {
  if (!config.s3) return new FileObjectBytes(join(config.dataDir, 'objects'));
  // Servers of one installation share the master key, and no other installation has it.
  return new S3ObjectBytes(config.s3, `${sealer.derive('prefix of object bytes', 6).toString('hex')}/`);
}
