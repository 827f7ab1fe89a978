/**
 * The API server's address as Kubernetes tells it to every pod, by two variables that are no setting of ours; undefined outside of a pod.
 */
export function podService(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (host === undefined || port === undefined) return undefined;
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
