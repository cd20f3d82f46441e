/** What the server sent: `event` is its kind, `data` parsed JSON; an event without data only tells where to go on from. */
export interface ServerSentEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: unknown;
}

/** The server-sent events of an answer as they come (HTML standard §9.2). */
export async function* readEvents(response: Response): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const data = field('data');
      yield {
        id: field('id'),
        event: field('event') ?? 'message',
        data: data === undefined ? undefined : JSON.parse(data),
      };
    }
  }
}
