import { describe } from '@jest/globals';
import { S3ObjectBytes } from '#libs/storage';
import { s3 } from '../../support/environment.js';
import { objectBytesContract } from './object-bytes.contract.js';

const reason = 'no S3 was named: GALLEY_TEST_S3_ENDPOINT, …_ACCESS_KEY_ID, …_SECRET_ACCESS_KEY';

(s3 ? describe : describe.skip)(s3 ? 'S3ObjectBytes' : `S3ObjectBytes (skipped: ${reason})`, () => {
  objectBytesContract(async () => ({
    bytes: new S3ObjectBytes({ ...s3!, region: 'us-east-1', bucket: 'galley-contract' }, 'installation/'),
    close: async () => {},
  }));
});
