// Puts what the daemon serves under / into web/dist: the demo call and the client library it uses.
import { cp, mkdir, rm } from 'node:fs/promises';

const dist = new URL('./dist/', import.meta.url);
await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
await cp(new URL('./demo/', import.meta.url), new URL('./demo/', dist), { recursive: true });
await cp(new URL('./node_modules/livekit-client/dist/livekit-client.umd.js', import.meta.url),
         new URL('./demo/livekit-client.umd.js', dist));
console.log('web: demo page written to web/dist');
