// Secrets that this process knows, and the search for them where none may be: logs, metrics, answers, files of the store.
//
// Every value is cut into blocks of 12 characters, and any block is a find: so is every piece of 23 characters or more, wherever
// it was cut off.  A find is reported by the secret's name, never by its value.
import { subscribe } from 'node:diagnostics_channel';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const BLOCK = 12;
const LENGTH_MAX = 8192; // of a longer value the two ends are enough

const blocks = new Map(); // block → name
const starts = new Uint8Array(65536); // which blocks may begin with these four bytes
const startOf = (bytes, i) => ((bytes.readUInt16LE(i) * 31) ^ bytes.readUInt16LE(i + 2)) & 0xffff;

function addText(name, text) {
  const pieces = text.length <= LENGTH_MAX ? [text] : [text.slice(0, LENGTH_MAX / 2), text.slice(-LENGTH_MAX / 2)];
  for (const piece of pieces) for (let i = 0; i + BLOCK <= piece.length; i += BLOCK) {
    const block = piece.slice(i, i + BLOCK);
    if (new Set(block).size < 5) continue; // "xxxxxxxxxxxx" says nothing
    blocks.set(block, name);
    starts[startOf(Buffer.from(block, 'latin1'), 0)] = 1;
  }
}

const latin1 = (text) => Buffer.from(text, 'utf8').toString('latin1'); // files and logs are searched as bytes

// A secret that travels as text.  What is shorter than a block cannot be told from an ordinary word.
export function secret(name, value) {
  if (typeof value !== 'string' || value.length < BLOCK) return value;
  addText(name, latin1(value));
  const escaped = encodeURIComponent(value);
  if (escaped !== value) addText(name, escaped);
  return value;
}

const keys = new Set(); // known already: every call brings its own again

// A key, as text or bytes, which might also be written down in another form.
export function secretKey(name, value) {
  if (!(typeof value === 'string' || Buffer.isBuffer(value)) || value.length < BLOCK || keys.has(String(value))) return value;
  keys.add(String(value));
  const bytes = Buffer.from(value);
  addText(name, bytes.toString('latin1'));
  if (typeof value === 'string') secret(name, value);
  for (const hex of [bytes.toString('hex'), bytes.toString('hex').toUpperCase()]) addText(`${name} in hex`, hex);
  for (let shift = 0; shift < 3; shift++) { // three ways in which it can lie in a longer text
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64').replace(/=+$/, '');
    const inside = text.slice(shift === 0 ? 0 : shift + 1, -1);
    addText(`${name} in base64`, inside);
    addText(`${name} in base64url`, inside.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return value;
}

// Keys that an order or its answer carries, at any depth.
export function secretsOfResult(fields) {
  for (const [name, value] of Object.entries(fields ?? {})) {
    if (/^(AppKey|SecondaryAppKey|ApiSecret)$/i.test(name)) secretKey(`the ${name} of an app`, value);
    else if (typeof value === 'object') secretsOfResult(value);
  }
}

// And what users are told in an order, or which token it is about.
export function secretsOfOrder(fields) {
  secretsOfResult(fields);
  secret('a message in an order', fields?.Message);
  secret('a token in an order', fields?.Token);
}

// A client token; the AppId at the front of a 001 token, and the header of a JWT, are no secrets.
export function secretToken(name, token) {
  if (token.startsWith('001')) return secret(name, token.slice(27)) && token;
  const [, ...parts] = token.split('.');
  for (const part of parts) secret(name, part);
  return token;
}

// What a request line and its headers carry.
export function secretsOfRequest(target, authorization = null) {
  const query = new URLSearchParams(target.slice(target.indexOf('?') + 1));
  if (query.get('access_token')) secretToken('access_token of a URL', query.get('access_token'));
  if (query.get('join_request')) secret('join_request of a URL', query.get('join_request'));
  if (query.get('X-Signature')) secret('signature of a URL', query.get('X-Signature'));
  const [, signature] = /Signature=([0-9a-f]+)/.exec(authorization ?? '') ?? [];
  if (signature) secret('signature of a request', signature);
  const [, bearer] = /^Bearer (.+)$/.exec(authorization ?? '') ?? [];
  if (bearer) secretToken('token of an Authorization', bearer);
}

// Whatever this process asks, with any library (ws, axios and node:http by the first, fetch by the second).
subscribe('http.client.request.start', ({ request }) => secretsOfRequest(request.path, String(request.getHeader('authorization') ?? '')));
subscribe('undici:request:create', ({ request }) => {
  const headers = Array.isArray(request.headers) ? request.headers.join('\n') : String(request.headers ?? '');
  secretsOfRequest(request.path, /^authorization(?:: |\n)(.*)$/im.exec(headers)?.[1] ?? '');
});

// --- the search

// Where a secret stands: the text around it, itself and all that hangs on it left out.
function around(text, at, name) {
  let from = at, to = at + BLOCK;
  while (from > 0 && /[\w+/.%-]/.test(text[from - 1]) && at - from < 4096) from -= 1;
  while (to < text.length && /[\w+/=.%-]/.test(text[to]) && to - at < 4096) to += 1;
  const clean = (piece) => (find(piece).length > 0 ? '…' : piece).replace(/[^\x20-\x7e]/g, '.');
  return `${clean(text.slice(Math.max(0, from - 60), from))}‹${name}›${clean(text.slice(to, to + 40))}`;
}

function find(text) {
  const bytes = Buffer.from(text, 'latin1');
  const found = [];
  for (let i = 0; i + BLOCK <= bytes.length; i++) {
    if (!starts[startOf(bytes, i)]) continue;
    const name = blocks.get(text.slice(i, i + BLOCK));
    if (name !== undefined) found.push({ name, at: i });
  }
  return found;
}

// The secrets in a text or in bytes: { name, around } each, one of a name.
export function findSecrets(text) {
  const searched = typeof text === 'string' ? latin1(text) : text.toString('latin1');
  const names = new Map();
  for (const { name, at } of find(searched)) if (!names.has(name)) names.set(name, { name, around: around(searched, at, name) });
  return [...names.values()];
}

export function assertNoSecrets(where, text) {
  const found = findSecrets(text);
  if (found.length > 0)
    throw new Error(`secrets in ${where}: ${found.map((one) => `${one.name} («${one.around}»)`).join(', ')}`);
}

// An answer may repeat what its request named: `sent` are those names.
export function assertNoSecretsInAnswer(where, text, sent = []) {
  let rest = text;
  for (const name of sent) if (typeof name === 'string' && name.length >= BLOCK) rest = rest.replaceAll(name, '');
  assertNoSecrets(where, rest);
}

// All files under a directory of the daemon, the raw bytes.  The key that seals the store lies in a file of its own, and nowhere else.
export function assertNoSecretsInFiles(directory) {
  const sealing = join(directory, 'store.key');
  if (existsSync(sealing)) {
    const text = readFileSync(sealing, 'latin1').trim();
    secretKey('the sealing key', text);
    if (/^[0-9a-f]{64}$/i.test(text)) secretKey('the sealing key as bytes', Buffer.from(text, 'hex'));
  }
  for (const name of readdirSync(directory)) {
    if (name === 'store.key') continue;
    const path = join(directory, name);
    if (statSync(path).isDirectory()) assertNoSecretsInFiles(path);
    else assertNoSecrets(`the file ${name} of the store`, readFileSync(path));
  }
}

// `--dev` prints its public keys on start, and only there: each of these lines is let pass once, word for word.
export function withoutBanner(log, dev) {
  const lines = [
    `  AppKey         ${dev.appKey}\n`,
    `  secret         ${dev.secretKey}\n`,
  ];
  let rest = log;
  for (const line of lines) rest = rest.replace(line, '\n');
  const paste = new RegExp(`^( {2}'[^'\\n]*atriumctl' room dismiss demo --url https?://[\\w.:[\\]]+ --app ${dev.appId} `
    + `--access-key ${dev.accessKey} --secret )${dev.secretKey.replace(/[=+]/g, '\\$&')}\\n`, 'm');
  return rest.replace(paste, '$1\n');
}
