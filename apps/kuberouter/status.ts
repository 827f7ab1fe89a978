import type { FurtherAnswers } from '#libs/service/health-server.js';
import type { Dnsmasq } from './dnsmasq/supervisor.js';
import type { Router } from './router.js';

/** `/status`: whether this router is the active one, the interface with its addresses, and whose address is not reserved. */
export function statusAnswers(router: Router, dnsmasq: Dnsmasq): FurtherAnswers {
  return (path) => {
    if (path !== '/status') return undefined;
    const { active, link, served } = router;
    const { reservations, conflicts } = served;
    const body = {
      active,
      link,
      reservations: reservations.length,
      conflicts,
      dnsmasq: { running: dnsmasq.running, pid: dnsmasq.pid, ...dnsmasq.counts },
    };
    return { status: 200, body };
  };
}
