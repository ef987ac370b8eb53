// Drives the APNs stand-in with @parse/node-apn. Prints one JSON object: what the client made of it.
import { readFileSync } from 'node:fs';
import apn from '@parse/node-apn';

const { FOLDER, PORT, KNOWN, GONE } = process.env;
const provider = new apn.Provider({
  token: {
    key: readFileSync(`${FOLDER}/AuthKey_DEMO123456.p8`),
    keyId: 'DEMO123456',
    teamId: 'DEMOTEAM01',
  },
  ca: readFileSync(`${FOLDER}/ca.pem`),
  address: 'localhost',
  port: Number(PORT),
});

const notification = new apn.Notification({
  alert: { title: 'Your hours start', body: 'Good morning' },
  topic: 'com.example.agent',
  pushType: 'alert',
  priority: 10,
  expiry: Math.floor(Date.now() / 1000) + 900,
  collapseId: 'a-1/start',
  payload: { shiftbell: { event: 'hours_start' } },
});
const results = await provider.send(notification, [KNOWN, GONE]);

notification.topic = 'com.example.other';
const other = await provider.send(notification, KNOWN);
await provider.shutdown();

const failed = result => result.failed.map(({ status, response }) => ({ status, reason: response?.reason }));
console.log(JSON.stringify({ sent: results.sent.length, failed: failed(results), other: failed(other) }));
