import { decode, encode, type Question } from 'dns-packet';
import type { RemoteInfo, Socket as DatagramSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import { runtimeLimits as limits } from '../runtime-limits.js';

/** A query, over TCP with its length (RFC 7766), takes at most this. */
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
      const answer = answerTo(received.subarray(2, length), addressOf);
      received = received.subarray(length);
      answered += 1;
      if (!answer || answered > queriesPerConnection) return socket.destroy();
      socket.write(Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 255]), answer]));
    }
    if (received.length > queryBytes) socket.destroy();
  });
  socket.on('end', () => socket.end());
}

/**
 * The same by datagrams, for resolvers that begin with these; no answer is longer than one may be. A flood ends it:
 * only what nobody reads costs nobody but its writer.
 */
export function answerDatagrams(socket: DatagramSocket, addressOf: (name: string) => string | null): void {
  let [second, asked] = [0, 0];
  const onMessage = (query: Buffer, { address, port }: RemoteInfo) => {
    const now = Math.floor(Date.now() / 1000);
    [second, asked] = [now, now === second ? asked + 1 : 1];
    if (asked > limits.egressDatagramsPerSecond) {
      // What the kernel has at hand is told all the same.
      socket.off('message', onMessage);
      return void socket.close();
    }
    const answer = query.length > queryBytes ? null : answerTo(query, addressOf);
    if (answer) socket.send(answer, port, address);
  };
  socket.on('message', onMessage);
}

/** Null: it is no question, or none that could be repeated. */
function answerTo(query: Buffer, addressOf: (name: string) => string | null): Buffer | null {
  try {
    const { type, id = 0, questions: [question] = [] } = decode(query);
    return type === 'query' && question ? answerOf(id, question, addressOf) : null;
  } catch {
    return null;
  }
}

function answerOf(id: number, question: Question, addressOf: (name: string) => string | null): Buffer {
  const address = addressOf(question.name.toLowerCase().replace(/\.$/, ''));
  return encode({
    type: 'response',
    id,
    flags: authoritative | (address === null ? noSuchName : 0),
    questions: [question],
    answers:
      address !== null && question.type === 'A'
        ? [{ type: 'A', name: question.name, ttl: timeToLiveSeconds, data: address }]
        : [],
  });
}
