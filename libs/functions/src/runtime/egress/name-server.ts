import { streamDecode, streamEncode, type Packet } from 'dns-packet';
import type { Socket } from 'node:net';

/** DNS over TCP (RFC 7766): a query and its length take at most this. */
const queryBytes = 1024;
/** Of one connection. A resolver asks for both families of one name; answering costs us more than asking costs it. */
const queriesPerConnection = 8;
const timeToLiveSeconds = 60;
/** Response codes (RFC 1035 §4.1.1) in the low bits of the flags. */
const noSuchName = 3;
const authoritative = 1 << 10;

/**
 * Answers the queries of one connection by `addressOf`, which gives an IPv4 address or null for a name that does not
 * exist. Other records than addresses are answered with none.
 */
export function answerNames(socket: Socket, addressOf: (name: string) => string | null): void {
  let received = Buffer.alloc(0);
  let answered = 0;
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) {
      const length = received.readUInt16BE(0) + 2;
      const answer = answerTo(received.subarray(0, length), addressOf);
      received = received.subarray(length);
      answered += 1;
      if (!answer || answered > queriesPerConnection) return socket.destroy();
      socket.write(answer);
    }
    if (received.length > queryBytes) socket.destroy();
  });
  socket.on('end', () => socket.end());
}

function answerTo(query: Buffer, addressOf: (name: string) => string | null): Buffer | null {
  let packet: Packet;
  try {
    packet = streamDecode(query);
  } catch {
    return null;
  }
  const question = packet.questions?.[0];
  if (packet.type !== 'query' || !question) return null;
  const address = addressOf(question.name.toLowerCase().replace(/\.$/, ''));
  return streamEncode({
    type: 'response',
    id: packet.id ?? 0,
    flags: authoritative | (address === null ? noSuchName : 0),
    questions: [question],
    answers:
      address !== null && question.type === 'A'
        ? [{ type: 'A', name: question.name, ttl: timeToLiveSeconds, data: address }]
        : [],
  });
}
