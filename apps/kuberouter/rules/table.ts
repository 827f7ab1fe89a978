/** Name of the one nftables table that is ours; no other is ever touched. The gateway beside has `inet webspaces`. */
export const TABLE = 'inet webspaces_router';
