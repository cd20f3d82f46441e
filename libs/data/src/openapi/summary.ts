/** The first line of a comment as the summary; the rest, without leading empty lines, as the description. */
export function summaryOf(comment: string | null): { summary?: string; description?: string } {
  if (comment === null) return {};
  const end = comment.indexOf('\n');
  if (end === -1) return { summary: comment };
  const description = comment.slice(end).replace(/^\n+/, '');
  return { summary: comment.slice(0, end), ...(description !== '' && { description }) };
}
