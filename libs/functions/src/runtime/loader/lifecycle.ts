/**
 * What a function may do beside answering: work after its answer, and a last word before its process goes. Defines
 * `unload(reason)`. A function that listens has the time that the server gives it; one that does not goes at once.
 */
export const lifecycleSource = String.raw`
let background = 0;
globalThis.EdgeRuntime = {
  waitUntil(promise) {
    if (background++ === 0) log('\x1e+\x1f');
    Promise.resolve(promise)
      .catch((reason) => console.error(reason))
      .finally(() => {
        if (--background === 0) log('\x1e-\x1f');
      });
    return promise;
  },
};

let listensForUnload = false;
const addListener = globalThis.addEventListener;
globalThis.addEventListener = (type, ...rest) => {
  if (type === 'beforeunload') listensForUnload = true;
  return addListener.call(globalThis, type, ...rest);
};

function unload(reason) {
  if (!listensForUnload && !globalThis.onbeforeunload) log('\x1e!\x1f');
  else dispatchEvent(new CustomEvent('beforeunload', { detail: { reason } }));
}
`;
