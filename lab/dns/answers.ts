import { type Answer, decode, encode, type Packet, type Question } from 'dns-packet';

/** What the lab's DNS server knows of one name. An entry without records exists and has none (NODATA); any other name does not exist. */
export interface DnsName {
  /** Each entry is one TXT record; a list is a record of several strings. A string of more than 255 bytes is cut into several. */
  readonly txt?: readonly (string | readonly string[])[];
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly cname?: string;
  /** Instead of an answer; `silence` is none at all. */
  readonly fails?: 'SERVFAIL' | 'REFUSED' | 'silence';
  /** Over UDP every answer is empty and marked as truncated, so that it has to be asked for over TCP. */
  readonly truncated?: boolean;
}

/** All that the server knows, by name in lower case without a trailing dot. */
export type DnsNames = Readonly<Record<string, DnsName>>;

const RCODE = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
const AUTHORITATIVE = 1 << 10;
const TRUNCATED = 1 << 9;
const RECURSION_DESIRED = 1 << 8;
/** Of an answer over UDP to a question without EDNS (RFC 1035, 4.2.1). */
const PLAIN_UDP_BYTES = 512;
const TXT_STRING_BYTES = 255;
const MAX_ALIASES = 8;

export interface Exchange {
  /** What was asked, for the log. */
  readonly question: string;
  readonly outcome: string;
  /** Absent when the server is to say nothing. */
  readonly answer?: Buffer;
}

/** The authoritative answer to one message; undefined for what is no question. Nothing may be cached: every TTL is 0. */
export function exchange(message: Buffer, names: DnsNames, transport: 'udp' | 'tcp'): Exchange | undefined {
  const query = parsed(message);
  const question = query?.questions?.[0];
  if (!query || !question || query.type !== 'query') return undefined;
  const text = `${question.type} ${question.name}`;
  const entry = names[canonical(question.name)];
  if (entry?.fails === 'silence') return { question: text, outcome: 'silence' };
  const answers = answersTo(question, names);
  const outcome = entry?.fails ?? (entry ? 'NOERROR' : 'NXDOMAIN');
  const reply: Packet = {
    type: 'response',
    id: query.id ?? 0,
    flags: RCODE[outcome] | AUTHORITATIVE | ((query.flags ?? 0) & RECURSION_DESIRED),
    questions: [question],
    answers: outcome === 'NOERROR' ? answers : [],
    authorities: answers.length === 0 && entry?.fails === undefined ? [startOfAuthority(question.name)] : [],
  };
  const whole = encode(reply);
  if (transport === 'tcp' || (!entry?.truncated && whole.length <= udpBytes(query))) {
    return { question: text, outcome: `${outcome}, ${answers.length} records`, answer: whole };
  }
  const empty = encode({ ...reply, flags: (reply.flags ?? 0) | TRUNCATED, answers: [], authorities: [] });
  return { question: text, outcome: 'truncated', answer: empty };
}

function parsed(message: Buffer): Packet | undefined {
  try {
    return decode(message);
  } catch {
    // Not DNS: a server says nothing to it.
    return undefined;
  }
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

/** Records of the type asked for, at the end of the chain of aliases, which come before them. */
function answersTo({ name, type }: Question, names: DnsNames): Answer[] {
  const answers: Answer[] = [];
  let at = name;
  for (let alias = 0; alias <= MAX_ALIASES; alias++) {
    const entry = names[canonical(at)];
    if (entry?.cname === undefined || type === 'CNAME') return [...answers, ...recordsOf(at, type, entry)];
    answers.push({ type: 'CNAME', name: at, ttl: 0, data: entry.cname });
    at = entry.cname;
  }
  return answers;
}

function recordsOf(name: string, type: string, entry: DnsName | undefined): Answer[] {
  const record = { name, ttl: 0 };
  switch (type) {
    case 'TXT':
      return (entry?.txt ?? []).map((value) => ({ ...record, type, data: [value].flat().flatMap(txtStrings) }));
    case 'A':
      return (entry?.a ?? []).map((data) => ({ ...record, type, data }));
    case 'AAAA':
      return (entry?.aaaa ?? []).map((data) => ({ ...record, type, data }));
    case 'CNAME':
      return entry?.cname === undefined ? [] : [{ ...record, type, data: entry.cname }];
    default:
      return [];
  }
}

function txtStrings(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  const strings = Array.from({ length: Math.ceil(bytes.length / TXT_STRING_BYTES) }, (_, i) =>
    bytes.subarray(i * TXT_STRING_BYTES, (i + 1) * TXT_STRING_BYTES),
  );
  return strings.length === 0 ? [bytes] : strings;
}

function startOfAuthority(name: string): Answer {
  const data = { mname: 'dns.lab', rname: 'nobody.lab', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 0 };
  return { type: 'SOA', name, ttl: 0, data };
}

function udpBytes(query: Packet): number {
  const edns = query.additionals?.find((record) => record.type === 'OPT') as { udpPayloadSize?: number } | undefined;
  return Math.max(PLAIN_UDP_BYTES, edns?.udpPayloadSize ?? PLAIN_UDP_BYTES);
}
