/**
 * Marks in what an instance writes, put there by the loader so that one `console` call is one log record. Between
 * `start` and `end` stands a level and the message, or one of the notices; an invocation's id follows `handlerEnded`, a
 * host, a space and a port follow `refused`.
 * The message follows `idEnd`; before that stands the id of the invocation that wrote it, where one did.
 */
export const marks = {
  start: '\x1e',
  end: '\x1f',
  idEnd: '\x1d',
  backgroundBegan: '+',
  backgroundEnded: '-',
  handlerEnded: '.',
  /** Nobody wanted to do anything before the process goes. */
  unloaded: '!',
  /** Nothing listens where the function wanted to connect to. */
  refused: '/',
} as const;

/** A line on standard input that begins with this is why the process will go; any other is an invocation's id. */
export const unloadMark = '!';

/** The request header by which the loader knows invocations apart. */
export const invocationHeader = 'x-galley-invocation-id';
