# As api.Dockerfile, for amd64. A member whose LXD is in a machine of its own: QEMU, and the machine's kernel, first programs and root file system, which are made
# of Debian's packages. The container needs no privileges; tini hands SIGTERM on.
ARG BASE=node:20-bookworm-slim
FROM ${BASE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN node tools/build.mjs
RUN apt-get update && apt-get install -y --no-install-recommends perl gpgv kmod lz4 cpio squashfs-tools xz-utils busybox-static ca-certificates \
  && node dist/lab/vm/main.js --guest /machine && rm -rf /var/lib/apt/lists/*
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends qemu-system-x86 lxd-client tini iproute2 ca-certificates curl \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist ./dist
COPY deploy/docker/lxd8s /usr/local/bin/lxd8s
COPY --from=build /machine /usr/lib/lxd8s-vm
ENV WEBSPACES__RUNTIME=vm
EXPOSE 8443 9798 9799
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9798/state').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "node", "--enable-source-maps", "dist/apps/lxd8s/member/main.js"]
