type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The API server's address as Kubernetes tells it to every pod, by two variables that are no setting of ours: it counts where the settings name
 * neither a kubeconfig nor a server. Anything else stays for the schema to judge.
 */
export function withPodService(settings: Readonly<Record<string, unknown>>, env: Variables): Record<string, unknown> {
  const server = podService(env);
  const { kubernetes = {} } = settings;
  if (server === undefined || typeof kubernetes !== 'object' || kubernetes === null || 'kubeconfig' in kubernetes) return { ...settings };
  return { ...settings, kubernetes: { server, ...kubernetes } };
}

function podService({ KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port }: Variables): string | undefined {
  if (host === undefined || port === undefined) return undefined;
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
