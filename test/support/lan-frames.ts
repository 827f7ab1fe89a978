import { createSocket } from 'node:dgram';

/**
 * A program of its own: sends numbered datagrams to one address and to a broadcast address, so many a second each, until SIGTERM; then prints
 * how many. Whoever counts what arrives is the receiver's kernel.
 */
const [from = '', one = '', all = '', port = '', rate = ''] = process.argv.slice(2);
const perMs = Number(rate) / 1000;
/** More at once would be a burst that no sender of this rate makes. */
const MOST_AT_ONCE = 50;

const socket = createSocket('udp4');
const sent = { unicast: 0, flooded: 0, failed: 0 };
const begun = performance.now();
let due = 0;

socket.bind(0, from, () => {
  socket.setBroadcast(true);
  const timer = setInterval(() => {
    const wanted = Math.floor((performance.now() - begun) * perMs);
    // What a busy machine kept from being sent is not made up for.
    if (wanted - due > MOST_AT_ONCE) due = wanted - MOST_AT_ONCE;
    for (; due < wanted; due++) send();
  }, 1);
  process.once('SIGTERM', () => {
    clearInterval(timer);
    setTimeout(() => {
      console.log(JSON.stringify(sent));
      process.exit(0);
    }, 200);
  });
  console.log('sends');
});

function send(): void {
  const datagram = Buffer.alloc(64);
  datagram.writeUInt32BE(due);
  for (const [kind, target] of [['unicast', one] as const, ['flooded', all] as const]) {
    socket.send(datagram, Number(port), target, (error) => {
      if (error) sent.failed++;
      else sent[kind]++;
    });
  }
}
