import type { FastifyInstance } from 'fastify';

/** Which methods exist at a path, so that a wrong method can be told from a wrong path. */
export class RouteTable {
  readonly #routes: { readonly url: string; readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];

  /** Must be called before routes are added. */
  watch(server: FastifyInstance): void {
    server.addHook('onRoute', ({ url, method }) => {
      if (url.includes('*')) return;
      const pattern = new RegExp(`^${url.replace(/[.]/g, '\\.').replace(/:[A-Za-z]+/g, '[^/]+')}$`);
      this.#routes.push({ url, pattern, methods: [method].flat() });
    });
  }

  /** Every route, as `GET /v1/webspace/{user}`. */
  all(): string[] {
    const named = this.#routes.flatMap(({ url, methods }) => methods.map((method) => `${method} ${url.replace(/:(\w+)/g, '{$1}')}`));
    return [...new Set(named)].sort();
  }

  methodsAt(path: string): string[] {
    return [...new Set(this.#routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))].sort();
  }
}
