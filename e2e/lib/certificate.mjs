// Certificates for a test, made with the openssl command.
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const openssl = (args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });

// A root, and a certificate under it for 127.0.0.1, in files of `folder` that begin with `name`.  ca: the root, PEM;
// spki: SHA-256 of the certificate's public key in base64, as Chromium wants it.
export function makeCertificate(folder, name) {
  const path = (ending) => join(folder, `${name}.${ending}`);
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(['req', '-x509', ...curve, '-keyout', path('ca.key'), '-out', path('ca.pem'), '-days', '2', '-subj', `/CN=${name} root`]);
  openssl(['req', ...curve, '-keyout', path('key'), '-out', path('csr'), '-subj', `/CN=${name}`]);
  writeFileSync(path('ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n');
  openssl(['x509', '-req', '-in', path('csr'), '-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial', '-days', '2',
    '-extfile', path('ext'), '-out', path('pem')]);
  const ca = readFileSync(path('ca.pem'), 'utf8');
  const own = readFileSync(path('pem'), 'utf8');
  writeFileSync(path('chain.pem'), own + ca);
  const key = new X509Certificate(own).publicKey.export({ type: 'spki', format: 'der' });
  return { chainFile: path('chain.pem'), keyFile: path('key'), ca, spki: createHash('sha256').update(key).digest('base64') };
}
