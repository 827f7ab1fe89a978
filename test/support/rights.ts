interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** Of a manifest, what concerns rights. */
export interface RbacObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Rule[];
  readonly roleRef?: { readonly name: string };
  readonly subjects?: readonly { readonly name: string }[];
}

/** What an account may do in a namespace by the Roles that are bound to it there: `group/resource verb`, and the names it is limited to. */
export function rightsOf(objects: readonly RbacObject[], account: string, namespace: string): string[] {
  const there = objects.filter(({ metadata }) => metadata.namespace === namespace);
  const bound = there.filter(({ kind, subjects = [] }) => kind === 'RoleBinding' && subjects.some(({ name }) => name === account));
  const names = bound.map(({ roleRef }) => roleRef?.name);
  const roles = there.filter(({ kind, metadata }) => kind === 'Role' && names.includes(metadata.name));
  return roles.flatMap(({ rules = [] }) => rules.flatMap(allowedBy)).sort();
}

function allowedBy({ apiGroups, resources, resourceNames = [], verbs }: Rule): string[] {
  const limit = resourceNames.length === 0 ? '' : ` of ${resourceNames.join(', ')}`;
  return apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource} ${verb}${limit}`)));
}
