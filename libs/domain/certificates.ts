import { createHash } from 'node:crypto';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { LABELS } from '#libs/contracts/webspaces-api.js';
import type { CertificateIssuer } from './platform.js';
import type { WebspaceRecord } from './record.js';

/** Longest name of an object that may hold dots (RFC 1123 subdomain). */
const MAX_NAME = 253;

/** A custom domain whose site is served with its own certificate, which is in the Secret of {@link domainObjectName}. */
export type Certified = ReadonlySet<string>;

/**
 * Name of the route, the Certificate and the Secret of one custom domain. The webspace's name stands in front, so that a domain that
 * changes hands meets no object of its former webspace; no webspace's own objects have a dot in their names.
 */
export function domainObjectName(webspace: string, domain: string): string {
  const name = `${webspace}.${domain}`;
  return name.length <= MAX_NAME ? name : `${webspace}.${createHash('sha256').update(domain).digest('hex').slice(0, 40)}`;
}

/** What a Certificate of cert-manager has to say: exactly one name, signed by the installation's issuer, its Secret labelled as ours. */
export function certificateSpec(
  secretName: string,
  domain: string,
  { group, kind, name }: CertificateIssuer,
  labels: Readonly<Record<string, string>>,
): Record<string, unknown> {
  return { dnsNames: [domain], secretName, issuerRef: { group, kind, name }, secretTemplate: { labels } };
}

interface Readiness {
  readonly ready: boolean;
  readonly message: string;
}

/** What cert-manager says of a Certificate as it stands now. */
export function readinessOf(certificate: StoredObject | undefined): Readiness {
  const { conditions } = (certificate?.['status'] ?? {}) as { conditions?: CertificateCondition[] };
  const ready = conditions?.find(({ type }) => type === 'Ready');
  const generation = certificate?.metadata.generation ?? 0;
  const current = ready !== undefined && (ready.observedGeneration ?? generation) >= generation;
  return { ready: current && ready.status === 'True', message: (current && ready.message) || 'cert-manager has not looked at it yet' };
}

interface CertificateCondition {
  readonly type: string;
  readonly status: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

/** An object of the webspace by kind and name, if it was read. */
type FindObject = (kind: 'ingressRoute' | 'certificate' | 'secret', name: string) => StoredObject | undefined;

/**
 * The domains whose routes refer to their own Secret: once the Certificate is ready, and from then on for as long as the Secret is there,
 * also while it is renewed.
 */
export function certifiedDomains(webspace: string, { uid, domains }: WebspaceRecord, find: FindObject): Certified {
  return new Set(
    domains.filter((domain) => {
      const name = domainObjectName(webspace, domain);
      if (find('secret', name)?.metadata.labels?.[LABELS.uid] !== uid) return false;
      return readinessOf(find('certificate', name)).ready || tlsSecretOf(find('ingressRoute', name)) === name;
    }),
  );
}

/** What a `Webspace` says about the certificates of these domains. */
export function certificatesCondition(
  webspace: string,
  domains: readonly string[],
  { sniPassthrough }: WebspaceRecord['http'],
  issuer: CertificateIssuer | undefined,
  find: FindObject,
) {
  const says = (status: 'True' | 'False', reason: string, message: string) => ({ type: 'Certificates', status, reason, message });
  if (domains.length === 0) return says('True', 'NoCustomDomains', 'There are no custom domains.');
  if (sniPassthrough) return says('True', 'Passthrough', 'The webspace itself shows the certificates of its names.');
  if (!issuer) return says('False', 'NoIssuer', 'No issuer is configured: custom domains are served with the default certificate.');
  const waiting = domains.flatMap((domain) => {
    const { ready, message } = readinessOf(find('certificate', domainObjectName(webspace, domain)));
    return ready ? [] : [`${domain}: ${message}`];
  });
  if (waiting.length === 0) return says('True', 'Issued', 'Every custom domain has its certificate.');
  return says('False', 'NotReady', waiting.join('; '));
}

function tlsSecretOf(route: StoredObject | undefined): string | undefined {
  return (route?.['spec'] as { tls?: { secretName?: string } } | undefined)?.tls?.secretName;
}
