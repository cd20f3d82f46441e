/** A server-sent event. */
export interface SentEvent {
  readonly event: string;
  readonly id: string | undefined;
  // The tests say what they expect in it.
  readonly data: Record<string, unknown>;
}

/** The events of an answer as they come. */
export async function* eventsOf(response: Response): AsyncGenerator<SentEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks.filter((one) => !one.startsWith(':'))) {
      const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/s) as [string, string]));
      yield { event: fields.get('event')!, id: fields.get('id'), data: JSON.parse(fields.get('data')!) };
    }
  }
}
