import type { PortRange } from './ports.js';

/** An issuer of cert-manager; `group` is another one's for an issuer from outside. */
export interface CertificateIssuer {
  readonly kind: string;
  readonly name: string;
  readonly group: string;
}

/** What the installation decides about every webspace; from the configuration. */
export interface Platform {
  readonly baseDomain: string;
  readonly instancePrefix: string;
  readonly profiles: readonly string[];
  /** LXD network of the webspaces' own nic. */
  readonly network: string;
  /** Bridge on every member that LXD does not manage: webspaces are on it, and not on `network`. */
  readonly bridge?: string | undefined;
  readonly nic: {
    /** `strict`: webspaces do not reach each other. */
    readonly isolation: 'strict' | 'lan';
  };
  /** Static addresses of webspaces, inclusive; outside the DHCP range. */
  readonly addressRange: { readonly from: string; readonly to: string };
  /** Traefik's HTTPS entry point. */
  readonly entryPoint: string;
  /** TLS Secret for the base domain; Traefik's default certificate when absent. */
  readonly defaultTlsSecret?: string | undefined;
  /** Who signs the certificates of custom domains; without one they are served with the default certificate. */
  readonly certificateIssuer?: CertificateIssuer | undefined;
  /** Of the Service `<name>-ports` of a webspace. */
  readonly forwarding: { readonly serviceType: 'LoadBalancer' | 'ClusterIP'; readonly annotations: Readonly<Record<string, string>> };
  /** External ports that may be forwarded, inclusive. */
  readonly portRange: PortRange;
  readonly limits: { readonly startupDelaySeconds: number; readonly portForwards: number; readonly domains: number };
  readonly defaults: { readonly httpPort: number; readonly startupDelaySeconds: number };
  /** How long an address rests after its webspace is gone before it is given out again. */
  readonly addressRestSeconds: number;
}
