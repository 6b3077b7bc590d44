// Client tokens of both kinds.
import { createHmac, randomInt } from 'node:crypto';
import { AccessToken } from 'livekit-server-sdk';
import { secretKey, secretToken } from './canary.mjs';
import { dev } from './daemon.mjs';

export async function jwt(room, user, { grants = {}, ttl = '6h', keys = dev, name, metadata } = {}) {
  secretKey('the API secret', keys.apiSecret);
  const token = new AccessToken(keys.apiKey, keys.apiSecret, { identity: user, ttl, name, metadata });
  token.addGrant({ room, roomJoin: true, canPublish: true, canSubscribe: true, canPublishData: true, ...grants });
  return secretToken(`the JWT of ${user}`, await token.toJwt());
}

// The vendor's "001" token (vendor-contract 4.1).  privileges: { 0: expiry, 4: expiry }; 0 adds 1, 2 and 3.
export function token001(room, user, { appId = dev.appId, appKey = dev.appKey, expireAt = 0, privileges = { 0: 0, 4: 0 },
  nonce = randomInt(1, 99_999_999) } = {}) {
  secretKey('an AppKey', appKey);
  const all = { ...privileges };
  if (0 in all) for (const id of [1, 2, 3]) all[id] ??= all[0];
  const u16 = (value) => { const b = Buffer.alloc(2); b.writeUInt16LE(value); return b; };
  const u32 = (value) => { const b = Buffer.alloc(4); b.writeUInt32LE(value); return b; };
  const text = (value) => Buffer.concat([u16(Buffer.byteLength(value)), Buffer.from(value)]);
  const ids = Object.keys(all).map(Number).sort((a, b) => a - b);
  const message = Buffer.concat([u32(nonce), u32(Math.floor(Date.now() / 1000)), u32(expireAt), text(room), text(user),
    u16(ids.length), ...ids.map((id) => Buffer.concat([u16(id), u32(all[id])]))]);
  const signature = createHmac('sha256', appKey).update(message).digest();
  const content = Buffer.concat([u16(message.length), message, u16(signature.length), signature]);
  return secretToken(`the 001 token of ${user}`, `001${appId}${content.toString('base64')}`);
}
