import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { decode, encode, streamDecode, streamEncode, type Packet } from 'dns-packet';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { answerDatagrams, answerNames } from './name-server.js';

const asked: string[] = [];
let server: Server;
beforeAll(async () => {
  server = createServer((socket) =>
    answerNames(socket, (name) => {
      asked.push(name);
      return name === 'known.test' ? '127.64.0.1' : null;
    }),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(() => {
  server.close();
});

/** All that is answered to these bytes, until the other side ends the connection or `answers` have come. */
async function exchange(bytes: Buffer, answers = Infinity): Promise<{ packets: Packet[]; ended: boolean }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const packets: Packet[] = [];
  let received = Buffer.alloc(0);
  const ended = await new Promise<boolean>((resolve) => {
    socket.on('error', () => {});
    socket.on('close', () => resolve(true));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) {
        const length = received.readUInt16BE(0) + 2;
        packets.push(streamDecode(received.subarray(0, length)));
        received = received.subarray(length);
      }
      if (packets.length >= answers) resolve(false);
    });
    socket.write(bytes);
  });
  socket.destroy();
  return { packets, ended };
}

function query(name: string, type: 'A' | 'AAAA' | 'TXT' = 'A'): Buffer {
  return streamEncode({ type: 'query', id: 7, questions: [{ type, name }] });
}

/** A query of one question, whose name is these bytes. */
function rawQuery(name: readonly number[]): Buffer {
  const body = Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 1, 0, 1]);
  return Buffer.concat([Buffer.from([body.length >> 8, body.length & 255]), body]);
}

describe('the name server of a jail', () => {
  it('answers the address of a known name, however it is written', async () => {
    for (const name of ['known.test', 'KNOWN.Test', 'known.test.']) {
      const { packets } = await exchange(query(name), 1);
      expect(packets[0]!.answers).toMatchObject([{ type: 'A', data: '127.64.0.1' }]);
    }
  });

  it('answers nothing of other records, so that nothing is carried out by them', async () => {
    for (const type of ['AAAA', 'TXT'] as const) {
      const { packets } = await exchange(query('known.test', type), 1);
      expect(packets[0]).toMatchObject({ answers: [], rcode: 'NOERROR' });
    }
  });

  it('says of any other name that there is none', async () => {
    const { packets } = await exchange(query('localhost.'), 1);
    expect(packets[0]).toMatchObject({ answers: [], rcode: 'NXDOMAIN' });
  });

  it.each([
    ['a pointer to itself', rawQuery([0xc0, 12])],
    ['a pointer beyond the end', rawQuery([0xff, 0xff])],
    ['pointers in a circle', rawQuery([1, 97, 0xc0, 14, 0xc0, 12])],
    ['a label of a reserved kind', rawQuery([0x80, 1, 0])],
    ['a label longer than the query', rawQuery([63, 97])],
    ['a name of more than 255 bytes', rawQuery(Array.from({ length: 300 }, (_, n) => (n % 2 ? 97 : 1)))],
    ['no question', Buffer.from([0, 12, 0, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
    ['a response', Buffer.from([0, 12, 0, 7, 0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
    ['an empty message', Buffer.from([0, 0])],
    ['a message that is announced as 64 KiB', Buffer.alloc(2_000, 0xff)],
  ])('ends the connection upon %s', async (_what, bytes) => {
    expect(await exchange(bytes)).toEqual({ packets: [], ended: true });
  });

  it('answers a resolver, and no flood: a connection ends after a few queries', async () => {
    asked.length = 0;
    const flood = Buffer.concat(Array.from({ length: 5_000 }, (_, n) => query(`n${n}.flood.test`)));
    const { ended } = await exchange(flood);
    expect(ended).toBe(true);
    expect(asked.length).toBeLessThan(20);
  });

  describe('asked by datagrams', () => {
    let names: DatagramSocket;
    let asker: DatagramSocket;
    beforeEach(async () => {
      names = createSocket('udp4');
      asker = createSocket('udp4');
      await once(names.bind(0, '127.0.0.1'), 'listening');
      answerDatagrams(names, (name) => (name === 'known.test' ? '127.64.0.1' : null));
      asker.connect(names.address().port, '127.0.0.1');
      await once(asker, 'connect');
    });
    afterEach(() => void asker.close());

    async function answerTo(name: string): Promise<Packet> {
      asker.send(encode({ type: 'query', id: 9, questions: [{ type: 'A', name }] }));
      const [answer] = (await once(asker, 'message')) as [Buffer];
      return decode(answer);
    }

    it('answers the same, and what it does not understand not at all', async () => {
      for (const bytes of [Buffer.alloc(0), Buffer.alloc(3), Buffer.alloc(2000)]) asker.send(bytes);
      asker.send(rawQuery([0xc0, 12]).subarray(2));
      expect(await answerTo('known.test')).toMatchObject({ id: 9, answers: [{ data: '127.64.0.1' }] });
      expect(await answerTo('other.test')).toMatchObject({ answers: [], rcode: 'NXDOMAIN' });
      names.close();
    });

    it('reads no flood to its end', async () => {
      const closed = once(names, 'close');
      asker.on('error', () => {});
      const flood = setInterval(() => {
        for (let n = 0; n < 200; n += 1) asker.send(Buffer.alloc(12));
      }, 1);
      await closed;
      clearInterval(flood);
    });
  });
});
