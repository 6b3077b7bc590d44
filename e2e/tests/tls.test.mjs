// TLS of the daemon's own: the vendor's npm SDK over https, a call of unmodified browsers over wss, plain HTTP on that
// port; and bans by the address that a proxy names ahead of the handshake.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { account } from '../lib/accounts.mjs';
import { vendorAction } from '../lib/api.mjs';
import { events, join, launch, openPage, received, sockets, SOUND } from '../lib/browser.mjs';
import { makeCertificate } from '../lib/certificate.mjs';
import { Daemon, binary, dev, until } from '../lib/daemon.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { proxiedFrom, proxyItself } from '../lib/proxy_header.mjs';
import { RawClient } from '../lib/raw.mjs';
import { jwt } from '../lib/tokens.mjs';

const folder = mkdtempSync(joinPath(tmpdir(), 'atrium-e2e-tls-'));
const certificate = makeCertificate(folder, 'atrium');
https.globalAgent.options.ca = certificate.ca; // what the vendor's SDK connects with
after(() => rmSync(folder, { recursive: true, force: true }));

// All that `port` says to `bytes` until it closes.
function speak(port, bytes) {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => socket.write(bytes));
    let said = '';
    socket.on('data', (data) => { said += data.toString('latin1'); });
    socket.on('end', () => { socket.end(); resolve(said); });
    socket.on('error', (error) => (error.code === 'ECONNRESET' ? resolve(said) : reject(error)));
    socket.setTimeout(10_000, () => reject(new Error(`not closed; said ${said}`)));
  });
}

describe('the public listener with tls.certificate', () => {
  let daemon, browser;
  before(async () => {
    daemon = await Daemon.start({ certificate });
    browser = await launch([`--ignore-certificate-errors-spki-list=${certificate.spki}`]);
  });
  after(async () => {
    await browser?.close();
    await daemon?.stop();
  });

  test('carries a call of browsers, its end by the vendor\'s SDK, and tells them so', async () => {
    const pages = [await openPage(browser, daemon), await openPage(browser, daemon)];
    assert.match(await pages[0].evaluate(() => `${location.protocol} ${window.isSecureContext}`), /https: true/);
    for (const [i, page] of pages.entries()) await join(page, daemon, await jwt('secure', `user${i}`));
    for (const page of pages)
      await until('sound and pictures arrive', async () => {
        const media = await received(page);
        return media.frames > 10 && media.energy > SOUND;
      }, 30000, 200);
    const answer = await vendorAction(daemon, 'DismissRoom')({ AppId: dev.appId, RoomId: 'secure' });
    assert.deepEqual(answer.Result, { message: 'success' });
    for (const page of pages) {
      const gone = await until('the page is told', async () => (await events(page, 'disconnected'))[0]);
      assert.equal(gone.reason, 'ROOM_DELETED');
      const socket = (await sockets(page)).at(-1);
      assert.match(socket.url, /^wss:/);
      assert.equal(socket.close.code, 4011);
      await page.context().close();
    }
    const metrics = await daemon.metrics();
    assert.ok(metrics.get('atrium_tls_handshakes_total') >= 3);
    const left = metrics.get('atrium_tls_certificate_expires_timestamp_seconds') - Date.now() / 1000;
    assert.ok(left > 86_400 && left < 3 * 86_400, `${left}`);
  });

  test('speaks TLS 1.2 and 1.3 with http/1.1 and a certificate that its root vouches for', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const socket = connectTls({ host: '127.0.0.1', port: daemon.httpPort, ca: certificate.ca, minVersion: version, maxVersion: version,
        ALPNProtocols: ['h2', 'http/1.1'] });
      await new Promise((resolve, reject) => { socket.once('secureConnect', resolve); socket.once('error', reject); });
      assert.equal(socket.authorized, true);
      assert.equal(socket.getProtocol(), version);
      assert.equal(socket.alpnProtocol, 'http/1.1');
      socket.destroy();
    }
  });

  test('answers plain HTTP with a word, and leaves the operator\'s listener plain', async () => {
    assert.match(await speak(daemon.httpPort, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1.1 400 [^]*https:/);
    assert.equal((await daemon.metrics()).get('atrium_connections_refused_total{reason="plain_http_to_tls"}'), 1);
  });

  test('takes another certificate at a reload and drops no connection; a broken file changes nothing', async () => {
    const issuer = () => new Promise((resolve, reject) => {
      const socket = connectTls({ port: daemon.httpPort, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().issuer.CN);
        socket.destroy();
      });
      socket.on('error', reject);
    });
    const reload = async () => (await fetch(`${daemon.operator}/reload`, { method: 'POST' })).status;
    const standing = await RawClient.open(daemon, await jwt('standing', 'ann'));
    await standing.wait('join');
    assert.equal(await issuer(), 'atrium root');
    const [chain, key] = [readFileSync(certificate.chainFile), readFileSync(certificate.keyFile)];
    const next = makeCertificate(folder, 'next');
    try {
      writeFileSync(certificate.chainFile, readFileSync(next.chainFile));
      assert.equal(await reload(), 422, 'the key of another certificate');
      assert.equal(await issuer(), 'atrium root');
      writeFileSync(certificate.keyFile, readFileSync(next.keyFile));
      assert.equal(await reload(), 200);
      assert.equal(await issuer(), 'next root');
      assert.equal(standing.seen('close'), undefined);
      standing.send({ pingReq: { timestamp: 1, rtt: 0 } });
      await standing.wait('pongResp');
    } finally {
      writeFileSync(certificate.chainFile, chain);
      writeFileSync(certificate.keyFile, key);
      assert.equal(await reload(), 200);
      standing.stop();
    }
  });

  test('logs nothing of the key', () => {
    const key = execFileSync('openssl', ['ec', '-in', certificate.keyFile], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
    for (const line of key.split('\n').filter((one) => one.length > 30)) assert.ok(!daemon.log.includes(line));
    assert.doesNotMatch(daemon.log, /PRIVATE KEY/);
  });
});

describe('behind a proxy that names its clients', () => {
  let daemon, proxy;
  const opened = [];
  before(async () => {
    daemon = await Daemon.start({ certificate, args: ['--http-proxy-protocol', 'true', '--http-trusted-proxies', '127.0.0.1'] });
    proxy = await Proxy.start(daemon.url);
    proxy.ca = certificate.ca;
  });
  after(async () => {
    for (const one of opened) one.socket.terminate();
    await proxy?.stop();
    await daemon?.stop();
  });
  const enter = async (from, user, options) => {
    proxy.header = proxiedFrom(from);
    const client = await RawClient.open(proxy, await jwt('proxied', user), options);
    opened.push(client);
    return client;
  };

  test('a ban by address holds for who the proxy says it is, whatever X-Forwarded-For says', async () => {
    const bad = await enter('203.0.113.9', 'bad');
    await bad.wait('join');
    const good = await enter('203.0.113.10', 'good');
    await good.wait('join');
    proxy.header = proxyItself;
    await vendorAction(proxy, 'BanRoomUser', '2023-11-01')({ AppId: dev.appId, IP: '203.0.113.9', ForbiddenInterval: 600 });
    await bad.wait('close');
    assert.equal(bad.seen('close').code, 4006);
    assert.equal(good.seen('close'), undefined);
    const again = await enter('203.0.113.9', 'bad-again', { headers: { 'X-Forwarded-For': '203.0.113.10' } });
    assert.equal(JSON.parse(again.refused?.body ?? '{}').code, -1026);
    const forged = await enter('203.0.113.11', 'forged', { headers: { 'X-Forwarded-For': '203.0.113.9' } });
    assert.equal(forged.refused, null, 'X-Forwarded-For counts for nothing here');
    assert.equal((await enter('2001:db8::9', 'six')).refused, null);
  });

  test('nobody comes in without the header', async () => {
    const before = (await daemon.metrics()).get('atrium_connections_refused_total{reason="proxy_header"}');
    assert.equal(await speak(daemon.httpPort, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), '');
    assert.equal(await speak(daemon.httpPort, 'PROXY TCP4 203.0.113.9 127.0.0.1 40000 7880\r\n'), '');
    const direct = await RawClient.open(daemon, await jwt('proxied', 'direct'));
    assert.equal(direct.seen('join'), undefined);
    assert.equal((await daemon.metrics()).get('atrium_connections_refused_total{reason="proxy_header"}'), before + 3);
  });
});

describe('atriumd does not start', () => {
  const config = joinPath(folder, 'config.toml');
  writeFileSync(config, account(folder, 'a', [{ accessKey: 'AKLT1', secretKey: 'a secret of an account', scopes: ['read'] }]));
  const check = (...args) => spawnSync(binary('atriumd'), ['--check-config', '--config', config, ...args], { encoding: 'utf8' });

  test('in the open without TLS, and names the ways out', () => {
    const refused = check();
    assert.equal(refused.status, 2);
    for (const way of ['tls.certificate', 'tls.key', 'http.trusted_proxies', 'http.insecure_http = true'])
      assert.ok(refused.stderr.includes(way), refused.stderr);
    for (const args of [['--http-insecure-http', 'true'], ['--http-trusted-proxies', '10.0.0.0/8'], ['--http-listen', '127.0.0.1:0'],
      ['--tls-certificate', certificate.chainFile, '--tls-key', certificate.keyFile]])
      assert.equal(check(...args).status, 0, args.join(' '));
  });

  test('with a key of another certificate, and names the file', () => {
    const other = makeCertificate(folder, 'other');
    const refused = check('--tls-certificate', certificate.chainFile, '--tls-key', other.keyFile);
    assert.equal(refused.status, 2);
    assert.ok(refused.stderr.includes(`${other.keyFile}: the key does not belong`), refused.stderr);
  });
});
