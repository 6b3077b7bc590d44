// Headers of the PROXY protocol, version 2, as proxies write them.
import { isIPv6 } from 'node:net';

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

function header(command, family, block) {
  const fixed = Buffer.from([0x20 | command, family, block.length >> 8, block.length & 0xff]);
  return Buffer.concat([signature, fixed, block]);
}

function bytesOf(address) {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const [left, right = ''] = address.split('::');
  const words = (text) => text.split(':').filter(Boolean).map((word) => parseInt(word, 16));
  const all = [...words(left), ...Array(8 - words(left).length - words(right).length).fill(0), ...words(right)];
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff]));
}

// A TCP connection that came from `address`.
export function proxiedFrom(address, port = 40000) {
  const source = bytesOf(address);
  const ports = Buffer.from([port >> 8, port & 0xff, 7880 >> 8, 7880 & 0xff]);
  return header(1, isIPv6(address) ? 0x21 : 0x11, Buffer.concat([source, Buffer.alloc(source.length, 1), ports]));
}

// The proxy's own connection: a health check.
export const proxyItself = header(0, 0, Buffer.alloc(0));
