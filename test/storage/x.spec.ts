import { it } from '@jest/globals';
import { Readable } from 'node:stream';
import http from 'node:http';
import { startStorage } from './storage-server.js';
it('x', async () => {
  const server = await startStorage();
  await server.admin.storage.createBucket('small', { fileSizeLimit: 1000, public: false });
  const tooMuch = Buffer.alloc(300_000);
  const u = new URL(server.url);
  await new Promise<void>((ok) => {
    const req = http.request({ host: u.hostname, port: u.port, path: '/storage/v1/object/small/x', method: 'POST', headers: { authorization: `Bearer ${server.keys.secretKey}`, 'content-type': 'a/b' } }, (res) => {
      console.log('raw', res.statusCode); res.resume(); res.on('end', () => { console.log('end'); });
    });
    req.on('error', (e) => console.log('err', e.message));
    req.on('close', () => { console.log('close'); ok(); });
    req.write(tooMuch); req.write(tooMuch); req.end();
    setTimeout(ok, 3000);
  });
  for (const [n, body] of [['buffer', tooMuch], ['blob', new Blob([tooMuch])], ['stream', Readable.from([tooMuch, tooMuch])]] as const) {
    const r = await Promise.race([server.admin.storage.from('small').upload('x', body), new Promise((ok) => setTimeout(ok, 3000, 'timeout'))]);
    console.log(n, r);
  }
  await Promise.race([server.close(), new Promise((ok) => setTimeout(ok, 3000))]);
});
