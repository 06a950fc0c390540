// Adds a bearer token to the requests of a program that has no option for one. Given to Node as
// NODE_OPTIONS=--import=bearer.mjs, with BEARER_ORIGIN (whom the token is for) and BEARER_TOKEN.
import http from 'node:http';
import { getGlobalDispatcher, setGlobalDispatcher } from 'undici';

const { BEARER_ORIGIN: origin, BEARER_TOKEN: token } = process.env;
const authorization = `Bearer ${token}`;
const named = (name) => name.toLowerCase() === 'authorization';

function added(headers) {
  if (!headers) return { authorization };
  if (Array.isArray(headers)) {
    // undici: names and values in turn.
    const names = headers.filter((_, index) => index % 2 === 0);
    return names.some(named) ? headers : [...headers, 'authorization', authorization];
  }
  const pairs = typeof headers[Symbol.iterator] === 'function' ? [...headers] : Object.entries(headers);
  return Object.fromEntries(
    pairs.some(([name]) => named(name)) ? pairs : [...pairs, ['authorization', authorization]],
  );
}

// What fetch and undici.request send.
setGlobalDispatcher(
  getGlobalDispatcher().compose((dispatch) => (options, handler) => {
    const ours = new URL(options.origin).origin === origin;
    return dispatch(ours ? { ...options, headers: added(options.headers) } : options, handler);
  }),
);

// What node:http sends: only options that name host and port are in use.
const { request } = http;
http.request = (...given) => {
  const [first, ...rest] = given;
  if (typeof first !== 'object' || first instanceof URL) return request(...given);
  const ours = `http://${first.hostname ?? first.host}:${first.port}` === origin;
  return request(ours ? { ...first, headers: added(first.headers) } : first, ...rest);
};
