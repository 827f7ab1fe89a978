# As api.Dockerfile. Root with few capabilities: NET_ADMIN for rules and addresses, NET_RAW and NET_BIND_SERVICE for dnsmasq's DHCP, DNS and router
# advertisements, SETUID and SETGID so that it gives up root's rights, KILL to signal it.
ARG BASE=node:20-bookworm-slim
FROM ${BASE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN node tools/build.mjs && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends dnsmasq-base iproute2 nftables && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist ./dist
EXPOSE 8185
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8185/health/live').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--max-semi-space-size=2", "--enable-source-maps", "dist/apps/kuberouter/main.js"]
CMD ["--config", "/etc/webspaces/kuberouter.yaml"]
