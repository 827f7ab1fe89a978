# As api.Dockerfile. LXD and the process that it runs under, in a privileged container. tini reaps what LXD's daemons leave to pid 1; the
# namespaces let LXD's control groups be mounted so that liblxc finds them.
ARG BASE=node:20-bookworm-slim
FROM ${BASE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN node tools/build.mjs && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends lxd lxd-client tini nftables dnsmasq-base squashfs-tools xz-utils iproute2 uidmap \
  procps btrfs-progs ca-certificates curl && rm -rf /var/lib/apt/lists/* \
  && printf 'root:100000:10000001\n' > /etc/subuid && printf 'root:100000:10000001\n' > /etc/subgid
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist ./dist
COPY deploy/docker/lxd8s /usr/local/bin/lxd8s
EXPOSE 8443 9798 9799
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9798/state').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "unshare", "--cgroup", "--mount", "--propagation", "private", "node", "--enable-source-maps", "dist/apps/lxd8s/member/main.js"]
