/**
 * `export const handler = async (event, context) => …`, as AWS Lambda calls it for a function URL: payload format 2.0
 * (docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html). Paths begin behind the function's name, since such code
 * does not know it. Defines `lambdaHandler`.
 */
export const lambdaSource = String.raw`
const textTypes = /^(text\/|application\/(json|javascript|xml)|[^;]*\+(json|xml))/i;

function toBase64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000)
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

async function lambdaEvent(request) {
  const url = new URL(request.url);
  const rawPath = url.pathname.replace(/^\/[^/]*/, '') || '/';
  const headers = Object.fromEntries(request.headers);
  const cookies = headers.cookie?.split(/; */);
  const bytes = new Uint8Array(await request.arrayBuffer());
  const isText = textTypes.test(headers['content-type'] ?? '') && !headers['content-encoding'];
  const query = {};
  for (const [name, value] of url.searchParams) query[name] = name in query ? query[name] + ',' + value : value;
  const now = new Date();
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString: url.search.slice(1),
    ...(cookies && { cookies }),
    headers,
    ...(url.search.length > 1 && { queryStringParameters: query }),
    requestContext: {
      accountId: 'anonymous',
      apiId: Deno.env.get('GALLEY_FUNCTION'),
      domainName: url.hostname,
      domainPrefix: url.hostname.split('.')[0],
      http: {
        method: request.method,
        path: rawPath,
        protocol: 'HTTP/1.1',
        sourceIp: clientAddress(request).hostname,
        userAgent: headers['user-agent'],
      },
      requestId: headers['x-galley-invocation-id'],
      routeKey: '$default',
      stage: '$default',
      time: lambdaTime(now),
      timeEpoch: now.getTime(),
    },
    ...(bytes.length > 0 && { body: isText ? new TextDecoder().decode(bytes) : toBase64(bytes) }),
    isBase64Encoded: bytes.length > 0 && !isText,
  };
}

// 12/Mar/2020:19:03:58 +0000
function lambdaTime(date) {
  const [, day, month, year, time] = date.toUTCString().split(' ');
  return day + '/' + month + '/' + year + ':' + time + ' +0000';
}

function lambdaContext(request, endsAt) {
  const name = Deno.env.get('GALLEY_FUNCTION');
  return {
    functionName: name,
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:local:000000000000:function:' + name,
    memoryLimitInMB: Deno.env.get('GALLEY_MEMORY_MB'),
    awsRequestId: request.headers.get('x-galley-invocation-id'),
    logGroupName: '/aws/lambda/' + name,
    logStreamName: Deno.env.get('SB_EXECUTION_ID'),
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, Math.round(endsAt - performance.now())),
  };
}

function lambdaResponse(result) {
  if (result instanceof Response) return result;
  if (result === null || typeof result !== 'object' || result.statusCode === undefined) {
    const body = typeof result === 'string' ? result : JSON.stringify(result ?? null);
    return new Response(body, { headers: { 'content-type': 'application/json' } });
  }
  const headers = new Headers({ 'content-type': 'application/json' });
  for (const [name, value] of Object.entries(result.headers ?? {})) headers.set(name, String(value));
  for (const [name, values] of Object.entries(result.multiValueHeaders ?? {})) {
    headers.delete(name);
    for (const value of values) headers.append(name, String(value));
  }
  for (const cookie of result.cookies ?? []) headers.append('set-cookie', cookie);
  const status = Number(result.statusCode);
  const { body } = result;
  const hasNone = body === undefined || body === null || [101, 204, 205, 304].includes(status);
  const content = hasNone
    ? null
    : result.isBase64Encoded
      ? Uint8Array.from(atob(body), (character) => character.charCodeAt(0))
      : typeof body === 'string'
        ? body
        : JSON.stringify(body);
  return new Response(content, { status, headers });
}

const lambdaHandler = (handler) => async (request) => {
  const endsAt = performance.now() + Number(Deno.env.get('GALLEY_TIMEOUT_MS'));
  const event = await lambdaEvent(request);
  const context = lambdaContext(request, endsAt);
  return lambdaResponse(
    await new Promise((resolve, reject) => {
      const answer = handler(event, context, (failure, result) => (failure ? reject(failure) : resolve(result)));
      // One that takes a callback and is not async answers by calling it.
      if (handler.length < 3 || typeof answer?.then === 'function') Promise.resolve(answer).then(resolve, reject);
    }),
  );
};
`;
