import { NAMESPACE, TRAEFIK } from '#lab/chart/surroundings.js';
import { byAdmin, fromAccount, fromContainer, fromPod, fromPort, member, pod, service, type Target } from './attempts.js';
import { METADATA, TENANTS } from './place.js';

const API = '/api/v1/namespaces';
const IN_PLATFORM = `${API}/${NAMESPACE}`;
const ESCAPE = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'escape', namespace: TENANTS },
  spec: {
    containers: [{ name: 'main', image: 'any', securityContext: { privileged: true } }],
    volumes: [{ name: 'host', hostPath: { path: '/' } }],
  },
};
const REVIEW = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
/** A device that every Linux has: its kernel's log. */
const OPENS_DEVICE = 'rm -f /tmp/device; mknod /tmp/device c 1 11 && ( : < /tmp/device ) && echo OPENED; rm -f /tmp/device';
const STATUS = 'curl -sk -m 10 -o /dev/null -w "%{http_code} "';
const UPGRADE =
  '-H "Connection: Upgrade" -H "Upgrade: websocket" -H "Sec-WebSocket-Version: 13" -H "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="';
const bearer = (token: string) => `-H "Authorization: Bearer ${token}"`;
const OWN = bearer('$(cat /var/run/secrets/kubernetes.io/serviceaccount/token)');
const states = (host: string) => `for port in 9797 9798; do ${STATUS} http://${host}:$port/state; done`;
const join = (host: string, authorization: string) =>
  `curl -sk -m 10 -X POST ${authorization} -d '{"volume":"x"}' https://${host}:9799/join -w ' %{http_code}\\n'`;
const SHELL = `${IN_PLATFORM}/pods/lxd-0/exec?command=id&container=member&stdout=true`;
const FORWARD = `${IN_PLATFORM}/pods/webspaces-temporal-0/portforward?ports=7233`;

/** Who may what on the chart's installation: for each target what shows that it is there, and who is refused by what. */
export const TARGETS: readonly Target[] = [
  {
    name: "LXD's API",
    controls: [
      {
        what: 'a client that it trusts',
        attempt: ({ chart }) => chart.lxc(['list', 'chart:', '--format', 'csv', '--columns', 'n']),
        reads: /^ws-u1$/m,
      },
      {
        what: 'the entry point of Traefik on the LAN, to the router',
        attempt: ({ chart }) =>
          chart.kubectl([
            'exec',
            'webspaces-router-0',
            '--container',
            'kuberouter',
            '--',
            'sh',
            '-c',
            `busybox nc -w 5 ${TRAEFIK.lan} ${TRAEFIK.lxd} < /dev/null && echo OPEN`,
          ]),
        reads: /OPEN/,
      },
    ],
    attacks: [
      fromContainer('the member, the Service', member(8443), service('webspaces-lxd', 8443)),
      fromPort('the entry point of Traefik, which is on the LAN, too', 'isolation', () => `${TRAEFIK.lan} ${TRAEFIK.lxd}`),
      fromPod(
        'LXD: it shows no certificate that LXD trusts',
        'the instances',
        (place) => `curl -sk -m 10 https://${place.member}:8443/1.0/instances`,
        /"error_code":403/,
      ),
      fromAccount(
        'by the proxy',
        ['GET', `${IN_PLATFORM}/services/https:webspaces-lxd:8443/proxy/1.0`],
        ['GET', `${IN_PLATFORM}/pods/https:lxd-0:8443/proxy/1.0`],
      ),
    ],
  },
  {
    name: 'what a member says of itself (9797, 9798)',
    controls: [
      { what: 'asked in its pod', attempt: (place) => place.inMember(states('127.0.0.1')), reads: /^200 200 $/ },
      byAdmin('its metrics from outside', ['GET', `${IN_PLATFORM}/pods/lxd-0:9798/proxy/metrics`], /^200$/),
    ],
    attacks: [
      fromContainer('both ports', member(9797), member(9798)),
      fromPod('the process: only from within its pod', 'both states', (place) => states(place.member), /^403 403 $/),
      fromAccount(
        'by the proxy',
        ['GET', `${IN_PLATFORM}/pods/lxd-0:9797/proxy/state`],
        ['GET', `${IN_PLATFORM}/pods/lxd-0:9798/proxy/state`],
      ),
    ],
  },
  {
    name: 'POST /join of a member (9799)',
    controls: [
      {
        what: 'a member, whose volume is not the one that it says',
        attempt: (place) => place.inMember(join(place.member, bearer('$(cat /var/run/secrets/webspaces-lxd8s/token)'))),
        reads: /The cluster has a member lxd-0/,
      },
    ],
    attacks: [
      fromContainer('the port', member(9799)),
      fromPod(
        'the member: Kubernetes is asked whose token it is',
        'without a token, with its own, and with one for joins in a pod that is called as a member is',
        ({ member }) => ['', OWN, bearer('$(cat /joins/token)')].map((one) => join(member, one)).join('; '),
        /A token of the pod is needed.* 401\n.*does not know this token.* 401\n.*is no member of lxd.* 403\n$/s,
      ),
      {
        from: 'account',
        by: 'the member: it is no pod of the StatefulSet',
        what: "with a token for joins of an account in the platform's own namespace",
        attempt: async (place) => place.inPod(join(place.member, bearer(await place.joinToken('webspaces-gateway', NAMESPACE)))),
        reads: /is no member of lxd.* 403\n$/s,
      },
    ],
  },
  {
    name: 'consoles of others',
    controls: [
      {
        what: 'the log of a console, for its member',
        attempt: async ({ chart }) => String((await chart.api('alice', 'GET', '/v1/webspace/self/log')).status),
        reads: /^200$/,
      },
      byAdmin('a shell beside LXD', ['POST', SHELL], /^400$/),
    ],
    attacks: [
      fromContainer("the API's Service", service('webspaces-api', 80)),
      fromPod(
        'the API: a token of that member, or of an admin',
        "a console without a token, with its account's, with another member's",
        ({ services, chart: { lab } }) =>
          ['', OWN, bearer(lab.tokenFor('bob'))]
            .map((one) => `${STATUS} ${UPGRADE} ${one} http://${services['webspaces-api']}/v1/webspace/alice/console`)
            .join('; '),
        /^401 401 403 $/,
      ),
      fromAccount(
        'a shell beside LXD, its output, its log',
        ['POST', SHELL],
        ['POST', `${IN_PLATFORM}/pods/lxd-0/attach?container=member&stdout=true`],
        ['GET', `${IN_PLATFORM}/pods/lxd-0/log?container=member`],
      ),
    ],
  },
  {
    name: 'devices of the host',
    controls: [
      { what: 'the member, which is privileged', attempt: (place) => place.inMember(OPENS_DEVICE), reads: /OPENED/ },
      byAdmin("a privileged pod with the host's root", ['POST', `${API}/${TENANTS}/pods?dryRun=All`, ESCAPE], /^201$/),
    ],
    attacks: [
      {
        from: 'container',
        by: "the kernel: its root is not the host's, and LXD gives it no devices",
        what: "a device made and opened, SysRq, the kernel's log and memory, disks",
        attempt: (place) =>
          place.inContainer(`${OPENS_DEVICE}; ( : >> /proc/sysrq-trigger ) && echo OPENED; ls /dev/kmsg /dev/mem /dev/kvm /dev/vda`),
        reads:
          /^(?!.*OPENED)(?=.*Operation not permitted)(?=.*sysrq-trigger.*(denied|Read-only|nonexistent))(.*No such file or directory\n){4}/s,
      },
      fromPod('its control group', 'a device made and opened', () => OPENS_DEVICE, /^(?!.*OPENED).*Operation not permitted/s),
      fromAccount(
        "a privileged pod with the host's root, the node",
        ['POST', `${API}/${TENANTS}/pods`, ESCAPE],
        ['GET', '/api/v1/nodes/node-1/proxy/pods'],
      ),
    ],
  },
  {
    name: "Kubernetes' API",
    controls: [
      {
        what: 'who the account is',
        attempt: async ({ account }) =>
          JSON.stringify((await account.request('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', REVIEW)).body),
        reads: new RegExp(`system:serviceaccount:${TENANTS}:default`),
      },
      byAdmin('a Secret of the platform', ['GET', `${IN_PLATFORM}/secrets/webspaces-sealing`], /^200$/),
    ],
    attacks: [
      fromContainer(
        'the API server by its Service, kubelet',
        ({ kubernetes }) => kubernetes,
        ({ kubelet }) => kubelet,
      ),
      fromPod(
        'Kubernetes’ RBAC, at the API server and at kubelet',
        "Secrets and a command by kubelet, with its account's token and without",
        ({ kubernetes, kubelet }) => {
          const secrets = `https://${kubernetes.replace(' ', ':')}${IN_PLATFORM}/secrets`;
          const command = `-X POST 'https://${kubelet.replace(' ', ':')}/run/${NAMESPACE}/lxd-0/member?cmd=id'`;
          return [secrets, command].flatMap((target) => [`${STATUS} ${OWN} ${target}`, `${STATUS} ${target}`]).join('; ');
        },
        /^403 40[13] 40[13] 40[13] $/,
      ),
      fromAccount(
        'Secrets, the record of the members, webspaces, roles, tokens of others',
        ['GET', `${IN_PLATFORM}/secrets/webspaces-sealing`],
        ['GET', `${IN_PLATFORM}/configmaps/lxd-cluster`],
        ['DELETE', `${IN_PLATFORM}/configmaps/lxd-cluster`],
        ['GET', `/apis/webspaces.netsoc.ie/v1alpha1/namespaces/${NAMESPACE}/webspaces`],
        ['POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/rolebindings`, {}],
        ['POST', `${IN_PLATFORM}/serviceaccounts/webspaces-worker/token`, {}],
      ),
    ],
  },
  {
    name: 'the metadata address of a cloud',
    controls: [
      // Nothing of the platform is between that pod and its node but a NetworkPolicy, tried in the test by itself.
      {
        what: 'an ordinary pod',
        attempt: (place) => place.inPod(`curl -s -m 20 --retry 10 --retry-connrefused --retry-delay 1 http://${METADATA}/`),
        reads: /^credentials$/,
      },
    ],
    attacks: [
      fromPort('its port', 'link_local', () => `${METADATA} 80`),
      fromAccount('by the proxy', ['GET', '/api/v1/nodes/node-1:80/proxy/'], ['GET', `${API}/${TENANTS}/pods/metadata:80/proxy/`]),
    ],
  },
  {
    name: 'Temporal',
    controls: [
      {
        what: 'its UI in its pod',
        attempt: ({ chart }) =>
          chart.kubectl([
            'exec',
            'webspaces-temporal-0',
            '--',
            'curl',
            '-s',
            '-o',
            '/dev/null',
            '-w',
            '%{http_code}',
            'http://127.0.0.1:8233/',
          ]),
        reads: /^200$/,
      },
      byAdmin('its port by Kubernetes', ['POST', FORWARD], /^400$/),
    ],
    attacks: [
      fromContainer(
        'the server, its UI, its Service',
        pod('webspaces-temporal-0', 7233),
        pod('webspaces-temporal-0', 8233),
        service('webspaces-temporal', 7233),
      ),
      fromPod(
        'it: its UI serves its own pod only',
        'its UI',
        ({ addresses }) => `curl -s -m 10 http://${addresses['webspaces-temporal-0']}:8233/ || echo $?`,
        /^7$/m,
      ),
      fromAccount('its port, by Kubernetes', ['POST', FORWARD], ['GET', `${IN_PLATFORM}/services/webspaces-temporal:7233/proxy/`]),
    ],
  },
];
